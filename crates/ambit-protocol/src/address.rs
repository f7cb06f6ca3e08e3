//! Which IP addresses are out there on the internet, and which are somebody's own: the machine itself, its network, its cloud's
//! services. What the server fetches on somebody's word must come from out there (RFC 6890, the IANA registries of special-purpose
//! addresses).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is a unicast address of the public internet.
///
/// An IPv4 address in an IPv6 coat (mapped, translated, tunnelled) is none: whoever writes one that way wants it not to be
/// recognised.
///
/// ```
/// use ambit_protocol::address::is_public;
///
/// assert!(is_public("8.8.8.8".parse()?));
/// assert!(!is_public("169.254.169.254".parse()?));
/// assert!(!is_public("::ffff:8.8.8.8".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|(network, bits)| {
            let mask = u32::MAX << (32 - bits);
            address.to_bits() & mask == network.to_bits()
        }),
        // 2000::/3 is all of the global unicast space that is handed out: loopback, unspecified, mapped, NAT64, unique local,
        // link-local and multicast addresses are outside of it.
        IpAddr::V6(address) => {
            in_v6(address, &(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3))
                && !SPECIAL_V6.iter().any(|network| in_v6(address, network))
        }
    }
}

fn in_v6(address: Ipv6Addr, (network, bits): &(Ipv6Addr, u32)) -> bool {
    let mask = u128::MAX << (128 - bits);
    address.to_bits() & mask == network.to_bits()
}

/// The networks of IPv4 that are not public.
const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // this host
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // shared by carriers; a cloud's metadata at 100.100.100.200
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // a cloud's platform service, in the middle of public space
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local; metadata at 169.254.169.254
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, broadcast
];

/// The networks within `2000::/3` that are not public.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments; Teredo carries an IPv4 address
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4 carries an IPv4 address
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

#[cfg(test)]
mod tests {
    use super::*;

    fn all_public(addresses: &str, expected: bool) {
        for address in addresses.split_whitespace() {
            assert_eq!(is_public(address.parse().expect("an address")), expected, "{address}");
        }
    }

    #[test]
    fn what_is_somebodys_own_is_not_public() {
        all_public("0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255", false);
        all_public(
            "127.0.0.1 127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255",
            false,
        );
        all_public("192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255", false);
        all_public("198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255", false);
        all_public("240.0.0.1 255.255.255.255", false);
        all_public(":: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8", false);
        all_public("64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 fc00::1 fd00:ec2::254 fe80::1 febf::1 fec0::1 ff02::1", false);
        all_public("2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 2001:20::1 2001:1ff:ffff::1", false);
        all_public("2001:db8::1 2002:7f00:1::1 2002:a00:1::1 3fff::1 3fff:fff:ffff::1 4000::1 1fff::1", false);
    }

    #[test]
    fn its_neighbours_are() {
        all_public("1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0", true);
        all_public("168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0", true);
        all_public("191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0", true);
        all_public(
            "198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255",
            true,
        );
        all_public("2000::1 2001:200::1 2001:db7::1 2001:db9::1 2003::1 2606:4700::1111 3ffe::1 3fff:1000::1", true);
    }
}
