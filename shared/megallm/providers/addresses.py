"""Which addresses lie on the public internet, and not in this machine, its network or its cloud.

``ipaddress.is_global`` alone does not tell: up to Python 3.12 it takes multicast, 6to4, NAT64 and site-local
addresses for global ones. Sources: IANA's registries of special-purpose addresses for IPv4 and IPv6, and the
metadata services of the clouds, most of which lie in ranges that are not global anyway.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NOT_PUBLIC_V4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle's cloud has a metadata service there
    IPv4Network("192.88.99.0/24"),  # relays into 6to4
    IPv4Network("168.63.129.16/32"),  # the host under a machine on Azure, by an address that looks public
)
# All that the registries have given to the public so far. What is not in it is no one's, or something special.
_UNICAST_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = (
    IPv6Network("2001::/23"),  # protocol assignments, and Teredo, which carries IPv4 addresses
    IPv6Network("2002::/16"),  # 6to4, the same
    IPv6Network("3fff::/20"),  # documentation
)
# A network without IPv4 reaches IPv4 by these: they are as public as the address in their last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether *address*, written as the resolver writes it, is one that anybody on the internet could reach."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        return _is_public_v6(parsed)
    return _is_public_v4(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    is_special = address.is_multicast or address.is_reserved or any(address in each for each in _NOT_PUBLIC_V4)
    return address.is_global and not is_special


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None:  # "%eth0" makes sense only on this machine
        return False
    if address.ipv4_mapped is not None:
        return _is_public_v4(address.ipv4_mapped)
    if address in _NAT64:
        return _is_public_v4(IPv4Address(address.packed[-4:]))
    is_special = any(address in each for each in _NOT_PUBLIC_V6)
    return address in _UNICAST_V6 and address.is_global and not is_special
