"""Work on records of a database that is somebody else's, as `[records]` of the settings declares it."""
