"""Which IP addresses a download may be opened to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

METADATA = (
    IPv6Network("fd00:ec2::/32"),  # AWS: instance metadata ::254, pod credentials ::23, DNS and time
    IPv6Network("fd20:ce::/32"),  # Google Cloud
    IPv4Network("168.63.129.16/32"),  # Azure's host; a public address by its looks
    IPv4Network("100.100.100.200/32"),  # Alibaba Cloud
    IPv4Network("192.0.0.192/32"),  # Oracle Cloud
)
"""Where a cloud hands out credentials, besides link-local 169.254.0.0/16 and fe80::/10."""

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address in the last 32 bits. `ipaddress.is_global` calls all of it global."""

LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
"""RFC 8215: the same within one network, which alone knows where the IPv4 address stands."""

TRANSLATED = IPv6Network("::ffff:0:0:0/96")
"""RFC 2765: as in NAT64, for stateless translation."""

COMPATIBLE = IPv6Network("::/96")
"""RFC 4291, 2.5.5.1: deprecated, and still an IPv4 address to some kernels."""


def plain(text: str) -> IPv4Address | IPv6Address:
    """Read an address; an IPv4-mapped one is the IPv4 address that the kernel would open.

    Raises ValueError.
    """
    address = ip_address(text)
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def tunnelled(address: IPv4Address | IPv6Address) -> bool:
    """Check whether an address leads to another one by NAT64, 6to4 or Teredo: such are never opened."""
    return isinstance(address, IPv6Address) and (
        _holds_ipv4(address) or address.sixtofour is not None or address.teredo is not None
    )


def refusal(address: IPv4Address | IPv6Address, *, public: bool) -> str | None:
    """Return why an address is refused, or None. `public` asks for one that all the world can reach."""
    for inner in (address, *_within(address)):
        if inner.is_link_local or any(inner in network for network in METADATA):
            return "a link-local or metadata address"
        if inner.is_multicast or inner.is_unspecified:
            return "no address of a server"
        if public and not (inner is address and tunnelled(address)) and not _public(inner):
            return "a private or reserved address"
    return None


def _public(address: IPv4Address | IPv6Address) -> bool:
    # Neither says it alone: is_global knows nothing of ::/8 and calls some multicast global.
    return address.is_global and not address.is_reserved and not getattr(address, "is_site_local", False)


def _holds_ipv4(address: IPv6Address) -> bool:
    """Check whether the last 32 bits are an IPv4 address; `::` and `::1` are none."""
    return any(address in network for network in (NAT64, LOCAL_NAT64, TRANSLATED)) or (
        address in COMPATIBLE and int(address) > 1
    )


def _within(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address stands for."""
    if not isinstance(address, IPv6Address):
        return []
    found = [address.sixtofour, *(address.teredo or ())]
    if _holds_ipv4(address):
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [inner for inner in found if inner is not None]
