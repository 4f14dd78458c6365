"""Which addresses count as public, and that a name with any other one is never connected to."""

import asyncio
from collections.abc import Sequence

import pytest

from megallm.errors import InvalidRequest
from megallm.providers.addresses import is_public
from megallm.providers.image_fetch import SafeImages

PUBLIC = [
    "8.8.8.8",
    "52.95.110.1",
    "198.51.99.255",
    "223.255.255.254",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]

NOT_PUBLIC = {
    "unspecified": ["0.0.0.0", "::"],
    "this network": ["0.1.2.3"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "carrier's NAT": ["100.64.0.1", "100.127.255.255"],
    "link-local": ["169.254.1.1", "fe80::1", "fe80::1%eth0"],
    "site-local": ["fec0::1"],
    "metadata": [
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
    ],
    "protocol assignments": ["192.0.0.8", "192.88.99.1", "2001:4:112::1", "2001:20::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "4000::1", "5f00::1", "100::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:224.0.0.1"],
    "compatible": ["::127.0.0.1", "::8.8.8.8"],
    "translated": ["::ffff:0:7f00:1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::808:808"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:0:7f00:1::"],
    "no address": ["", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "8.8.8.8 ", "8.8.8"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    """IPv4 inside of IPv6 is as public as the address that it carries, where traffic really goes there."""
    assert is_public(address)


@pytest.mark.parametrize("kind", NOT_PUBLIC)
def test_no_other_address_is_public(kind: str) -> None:
    """Each class of the registries of special addresses, and each spelling that is none."""
    assert [address for address in NOT_PUBLIC[kind] if is_public(address)] == []


@pytest.mark.parametrize("kind", NOT_PUBLIC)
def test_a_name_with_such_an_address_is_refused(kind: str) -> None:
    """By the policy that stands where none is given."""

    async def refusals() -> list[str]:
        return [await _refusal_of(address) for address in NOT_PUBLIC[kind]]

    messages = asyncio.run(refusals())

    assert set(messages) == {"The image cannot be fetched: its host cannot be reached, or may not be"}


async def _refusal_of(address: str) -> str:
    async def lookup(host: str) -> Sequence[str]:
        return [address]

    with pytest.raises(InvalidRequest) as caught:
        await SafeImages(lookup=lookup, seconds=2.0).fetch("https://images.example.com/cat.png")
    return caught.value.message
