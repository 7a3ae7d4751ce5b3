"""Run ids in ULID form: the same 128 bits, written the way RunWisp's clients expect (RunWisp §5)."""

from rota.core.errors import Invalid

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26


def to_ulid(run_id: str) -> str:
    """The ULID of a UUID in canonical text form. Order is kept."""
    value = int(run_id.replace("-", ""), 16)
    return "".join(ALPHABET[value >> 5 * place & 31] for place in reversed(range(LENGTH)))


def from_ulid(text: str) -> str:
    """The UUID of a ULID, in either case. Raises Invalid for anything else."""
    digits = [ALPHABET.find(character) for character in text.upper()]
    if len(digits) != LENGTH or -1 in digits or digits[0] > 7:
        raise Invalid(f"{text!r} is not a ULID")
    value = 0
    for digit in digits:
        value = value << 5 | digit
    plain = f"{value:032x}"
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"
