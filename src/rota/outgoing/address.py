"""Which addresses a call that somebody asked for over an API may reach."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Tier = Literal["public", "private", "never"]

# Never, unless listed: link-local, cloud metadata, and what is no host's address.
NEVER = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",       # link-local, and the metadata service of most clouds
        "100.100.100.200/32",   # metadata: Alibaba
        "168.63.129.16/32",     # metadata: Azure
        "192.0.0.192/32",       # metadata: Oracle
        "224.0.0.0/4",          # multicast
        "240.0.0.0/4",          # reserved, broadcast
        "fe80::/10",            # link-local
        "fec0::/10",            # site-local, withdrawn
        "fd00:ec2::/32",        # metadata: AWS
        "fd20:ce::/32",         # metadata: Google
        "ff00::/8",             # multicast
        "100::/64",             # discarded
    )
)  # fmt: skip
PRIVATE = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",            # this host
        "10.0.0.0/8",
        "100.64.0.0/10",        # behind a carrier's NAT
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",         # documentation
        "192.88.99.0/24",       # 6to4 relays, withdrawn
        "192.168.0.0/16",
        "198.18.0.0/15",        # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",       # local NAT64
        "2001:db8::/32",
        "2001:10::/28",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
    )
)  # fmt: skip
# Networks of IPv6 in which an IPv4 address is packed, and how many bits stand behind it.
PACKED = ((ip_network("::ffff:0:0/96"), 0), (ip_network("::ffff:0:0:0/96"), 0), (ip_network("64:ff9b::/96"), 0),
          (ip_network("2002::/16"), 80), (ip_network("::/96"), 0))  # fmt: skip
TEREDO = ip_network("2001::/32")


class Refused(Exception):
    """A target that may not be called. The message is for whoever gave it."""


class Guard(Struct, frozen=True):
    """What the settings say ([outgoing]).

    private  whether private addresses may be reached
    allow    host names and networks that may be reached whatever they are
    """

    private: Literal["allow", "deny"] = "deny"
    allow: tuple[str, ...] = ()

    def lets(self, host: str, address: Address) -> bool:
        """Whether a call to this host may go to this address of it."""
        if self.is_listed(host, address):
            return True
        tier = tier_of(address)
        return tier == "public" or (tier == "private" and self.private == "allow")

    def is_listed(self, host: str, address: Address) -> bool:
        plain = [address, *unpacked(address)]
        return any(entry.lower().rstrip(".") == host or _holds(entry, plain) for entry in self.allow)


def tier_of(address: Address) -> Tier:
    """The strictest tier of the address and of whatever is packed into it."""
    addresses = [address, *unpacked(address)]
    if any(one in network for one in addresses for network in NEVER):
        return "never"
    if any(one in network for one in addresses for network in PRIVATE):
        return "private"
    return "public"


def unpacked(address: Address) -> list[IPv4Address]:
    """The IPv4 addresses that a packet to this IPv6 address may end at."""
    if isinstance(address, IPv4Address):
        return []
    bits = int(address)
    found = [IPv4Address(bits >> shift & 0xFFFF_FFFF) for network, shift in PACKED if address in network]
    if address in TEREDO:
        found += [IPv4Address(bits >> 64 & 0xFFFF_FFFF), IPv4Address(~bits & 0xFFFF_FFFF)]
    # ISATAP
    if bits >> 32 & 0xFCFF_FFFF == 0x0000_5EFE:
        found.append(IPv4Address(bits & 0xFFFF_FFFF))
    return found


def read_url(url: str) -> tuple[SplitResult, str, int]:
    """The parts of a URL that may be called, its host in plain form, and its port. Raises Refused."""
    if any(character <= " " or character == "\\" or character == "\x7f" for character in url):
        raise Refused("a URL holds no blanks, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise Refused("only http and https can be called")
    if "@" in parts.netloc:
        raise Refused("a URL with a user in it is not called")
    if port == 0:
        raise Refused("port 0 cannot be called")
    return parts, _plain_host(parts.hostname or ""), port or (443 if parts.scheme == "https" else 80)


def _plain_host(host: str) -> str:
    if "%" in host:
        raise Refused("a host holds no % and no zone")
    try:
        plain = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise Refused("not the name of a host") from None
    if not plain.strip("."):
        raise Refused("a URL needs a host")
    return plain.lower().rstrip(".")


def _holds(entry: str, addresses: Iterable[Address]) -> bool:
    try:
        network: Network = ip_network(entry, strict=False)
    except ValueError:
        return False
    return any(address in network for address in addresses)


def to_address(text: str) -> Address:
    """An address as a resolver gives it, its zone left out."""
    return ip_address(text.partition("%")[0])
