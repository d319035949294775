import pytest

from service.outbound.addresses import is_global

REFUSED = """
0.0.0.0 this network
0.1.2.3 this network
0.255.255.255 this network
10.0.0.1 private
10.255.255.255 private
100.64.0.1 CGNAT
100.100.100.200 metadata (Alibaba)
100.127.255.255 CGNAT
127.0.0.1 loopback
127.255.255.254 loopback
169.254.0.1 link-local
169.254.169.254 metadata (AWS, GCP, Azure)
169.254.170.2 metadata (ECS)
168.63.129.16 metadata (Azure host)
172.16.0.1 private
172.31.255.255 private
192.0.0.1 IETF
192.0.0.9 port control anycast
192.0.0.192 metadata (Oracle)
192.0.2.1 documentation
192.31.196.1 AS112
192.52.193.1 AMT
192.88.99.1 6to4 relay
192.168.0.1 private
192.168.255.255 private
192.175.48.1 AS112
198.18.0.1 benchmarking
198.19.255.255 benchmarking
198.51.100.7 documentation
203.0.113.7 documentation
224.0.0.1 multicast
239.255.255.250 multicast
240.0.0.1 reserved
255.255.255.255 broadcast
:: unspecified
::1 loopback
::7f00:1 IPv4-compatible
::8.8.8.8 IPv4-compatible
::ffff:127.0.0.1 mapped
::ffff:7f00:1 mapped
::ffff:10.0.0.1 mapped
::ffff:169.254.169.254 mapped metadata
::ffff:0:8.8.8.8 translated
64:ff9b::127.0.0.1 NAT64
64:ff9b::a9fe:a9fe NAT64 metadata
64:ff9b::10.0.0.1 NAT64
64:ff9b:1::8.8.8.8 local NAT64
64:ff9b:1:ffff::1 local NAT64
100::1 discard
2001::1 Teredo
2001:0:4136:e378:8000:63bf:3fff:fdd2 Teredo
2001:2::1 benchmarking
2001:10::1 ORCHID
2001:20::1 ORCHIDv2
2001:1ff:ffff::1 IETF
2001:db8::1 documentation
2002:7f00:1:: 6to4 of loopback
2002:a9fe:a9fe::1 6to4 of metadata
2002:808:808::1 6to4
2620:4f:8000::1 AS112
2600:1f00::5efe:10.0.0.1 ISATAP
2600:1f00::200:5efe:127.0.0.1 ISATAP
3fff::1 documentation
3fff:fff:ffff::1 documentation
4000::1 unassigned
5f00::1 segment routing
fc00::1 unique local
fd00:ec2::254 metadata (AWS)
fd20:ce::254 metadata (GCP)
fe80::1 link-local
fe80::1%eth0 scoped
2600:1f00::1%eth0 scoped
fec0::1 site-local
ff02::1 multicast
ff0e::1 global multicast
localhost a name
0177.0.0.1 octal
0x7f.0.0.1 hexadecimal
2130706433 a number
127.1 short
8.8.8.8/32 a network
"""
GLOBAL = """
1.1.1.1
8.8.8.8
93.184.216.34
100.63.255.255
100.128.0.1
128.0.0.1
172.15.255.255
172.32.0.1
192.0.1.1
192.167.255.255
198.17.255.255
198.20.0.1
223.255.255.254
::ffff:8.8.8.8
64:ff9b::8.8.8.8
64:ff9b::216.239.32.10
2001:200::1
2001:4860:4860::8888
2003::1
2606:4700:4700::1111
2a00:1450:4001:80f::200e
"""


@pytest.mark.parametrize("line", REFUSED.strip().splitlines())
def test_refused(line: str) -> None:
    assert not is_global(line.split()[0])


@pytest.mark.parametrize("address", GLOBAL.split())
def test_global(address: str) -> None:
    assert is_global(address)


def test_nonsense_is_refused() -> None:
    assert not any(is_global(text) for text in ("", " ", " 8.8.8.8", "8.8.8.8 ", "[::1]", "8.8.8.8\n"))
