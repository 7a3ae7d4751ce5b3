"""More than a hundred ways to write an address that a stranger may not make this server call."""

# ruff: noqa: E501, RUF001, S104  these are the spellings, and they look like it

import asyncio
from ipaddress import ip_address

import pytest

from rota.outgoing import Guard, Outgoing, Refused, tier_of
from rota.outgoing.address import read_url

LOOPBACK = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.0x0.0x0.0x1", "0177.0.0.1", "017700000001", "0x7f.1", "127.000.000.001",
    "127.0.0.1.", "0", "0.0.0.0", "0x0", "00", "127.127.127.127", "127.0.0.53", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]",
    "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:1::1]", "[::ffff:0:127.0.0.1]", "[2001:0:7f00:1::]", "[2001:0:1:2:3:4:80ff:fffe]",
    "[fe80::5efe:7f00:1]", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
)  # fmt: skip
PRIVATE = (
    "10.0.0.1", "10.255.255.255", "0xa000001", "167772161", "012.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "0xac100001", "172.16.1",
    "192.168.0.1", "192.168.1", "0xc0a80001", "3232235521", "0300.0250.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.255", "198.18.0.1",
    "192.0.0.1", "192.0.2.1", "203.0.113.9", "198.51.100.1", "[fc00::1]", "[fd12:3456:789a::1]", "[::ffff:10.0.0.1]", "[::ffff:c0a8:1]",
    "[64:ff9b::10.0.0.1]", "[64:ff9b:1::1]", "[2002:0a00:0001::]", "[2002:c0a8:0101::1]", "[::10.0.0.1]", "[2001:db8::1]",
    "[::ffff:0:192.168.1.1]", "[3fff::1]",
)  # fmt: skip
NEVER = (
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0xA9.0xFE.0xA9.0xFE", "0251.0376.0251.0376", "169.254.43518", "169.16689662",
    "169.254.169.254.", "169.254.0.1", "169.254.170.2", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[::169.254.169.254]", "[fe80::1]", "[fe80::a9fe:a9fe]", "[fd00:ec2::254]", "[fd20:ce::254]",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "[ff02::1]",
    "[fec0::1]", "①⑥⑨.②⑤④.①⑥⑨.②⑤④", "[2001:0:a9fe:a9fe::]",
)  # fmt: skip
TRICKS = (
    "http://user@127.0.0.1/", "http://example.com@127.0.0.1/", "http://127.0.0.1@example.com/", "http://a:b@127.0.0.1/",
    "http://127.0.0.1\\@example.com/", "http://example.com\\.127.0.0.1/", "http://127.0.0.1 .example.com/", "http://127.0.0.1\t/",
    "http://127.0.0.1\r\nHost: x/", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:70/_x", "unix:///run/docker.sock",
    "//127.0.0.1/", "127.0.0.1", "http:127.0.0.1", "http://", "http:///x", "http://.", "http://127.0.0.1:0/", "http://127.0.0.1:99999/",
    "http://[::1", "http://[::1%25lo]/", "http://[fe80::1%25eth0]/", "http://127.0.0.1%2f@x/", "http://127.0.0.1%00.example.com/",
    "http://a..b/", "http://" + "a" * 64 + ".example/", "javascript:alert(1)", "data:text/plain,x",
)  # fmt: skip


def call(url: str, guard: Guard) -> None:
    """Only names that stand for themselves: nobody is asked who lives elsewhere."""

    async def ask() -> None:
        outgoing = Outgoing(guard)
        try:
            await outgoing.request("GET", url, timeout_s=5)
        finally:
            await outgoing.close()

    asyncio.run(ask())


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE, *NEVER])
def test_no_spelling_of_a_forbidden_address_is_called(host: str) -> None:
    with pytest.raises(Refused):
        call(f"http://{host}:9/", Guard("deny"))


@pytest.mark.parametrize("host", NEVER)
def test_metadata_and_link_local_are_refused_where_private_ones_are_allowed(host: str) -> None:
    with pytest.raises(Refused):
        call(f"http://{host}:9/", Guard("allow"))


@pytest.mark.parametrize("url", TRICKS)
def test_what_is_no_plain_url_of_a_host_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        call(url, Guard("deny"))


@pytest.mark.parametrize(
    ("address", "tier"),
    [("93.184.216.34", "public"), ("2606:4700::1111", "public"), ("64:ff9b::5db8:d822", "public"), ("2002:5db8:d822::1", "public"),
     ("1.1.1.1", "public"), ("172.32.0.1", "public"), ("100.128.0.1", "public"), ("10.0.0.1", "private"), ("169.254.1.1", "never")],
)  # fmt: skip
def test_addresses_have_tiers(address: str, tier: str) -> None:
    assert tier_of(ip_address(address)) == tier


@pytest.mark.parametrize(
    ("allow", "host", "address", "lets"),
    [
        (("169.254.169.254",), "x", "169.254.169.254", True),
        (("169.254.169.254",), "x", "169.254.169.253", False),
        (("10.0.0.0/8",), "x", "10.9.8.7", True),
        (("10.0.0.0/8",), "x", "::ffff:10.9.8.7", True),
        (("hooks.local",), "hooks.local", "192.168.1.1", True),
        (("Hooks.Local.",), "hooks.local", "192.168.1.1", True),
        (("hooks.local",), "evil.hooks.local", "192.168.1.1", False),
        (("hooks.local",), "hooks.local.evil", "192.168.1.1", False),
        (("fd00::/8",), "x", "fd12::1", True),
    ],
)
def test_what_is_listed_may_be_called(allow: tuple[str, ...], host: str, address: str, lets: bool) -> None:
    assert Guard("deny", allow).lets(host, ip_address(address)) is lets


def test_a_url_is_read_into_its_plain_host_and_port() -> None:
    assert read_url("HTTPS://Exämple.com./x?y")[1:] == ("xn--exmple-cua.com", 443)
    assert read_url("http://[2606:4700::1]:81/")[1:] == ("2606:4700::1", 81)
