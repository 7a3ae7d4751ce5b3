/* Runs `sh -c true` N times, so many at once. Arguments: N AT_ONCE. */
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int count, char **words) {
    int runs = atoi(words[1]), at_once = atoi(words[2]), going = 0;
    char *command[] = {"sh", "-c", "true", 0};
    for (int run = 0; run < runs; run++) {
        pid_t pid;
        if (posix_spawn(&pid, "/bin/sh", 0, 0, command, environ)) return 1;
        if (++going >= at_once) {
            wait(0);
            going--;
        }
    }
    while (going--) wait(0);
    return 0;
}
