"""Which network addresses a picture may be fetched from: global unicast ones, after unwrapping every disguise.

Tables: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates). They are written out because
``ipaddress.is_global`` changes between Python releases and lets multicast, 6to4 and site-local addresses pass.
"""

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_REFUSED_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        # Azure's platform address: global by its number, answered by the host of the virtual machine
        "168.63.129.16/32",
    )
)  # fmt: skip
_GLOBAL_6 = IPv6Network("2000::/3")
_REFUSED_6 = tuple(
    IPv6Network(network)
    for network in (
        # IETF protocols with Teredo (2001::/32), ORCHID and benchmarking; documentation; 6to4; AS112; documentation
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_global(text: str) -> bool:
    """Whether ``text`` is a global unicast address. IPv4-mapped and NAT64 addresses count as the address inside.

    6to4, Teredo, ISATAP, IPv4-compatible and local-use NAT64 (``64:ff9b:1::/48``) addresses are refused whatever they
    wrap; so are scoped addresses and text that is no address.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_global_4(address)
    if address.scope_id is not None:
        return False
    if address in _MAPPED or address in _NAT64:
        return _is_global_4(IPv4Address(int(address) & 0xFFFFFFFF))
    return _is_global_6(address)


def _is_global_4(address: IPv4Address) -> bool:
    return not any(address in network for network in _REFUSED_4)


def _is_global_6(address: IPv6Address) -> bool:
    if address not in _GLOBAL_6 or any(address in network for network in _REFUSED_6):
        return False
    return (int(address) >> 32) & 0xFFFFFFFF not in _ISATAP
