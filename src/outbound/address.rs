//! Which addresses are of the open internet, and what the others are.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// How far an address that is not of the open internet may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// Loopback and private networks: for origins that the settings name.
    Local(&'static str),
    /// Of one link, of nobody, or of many: only where the settings name this very address.
    Never(&'static str),
}

impl Reserved {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Local(what) | Self::Never(what) => what,
        }
    }
}

/// What is special about an address; none for one of the open internet (the registries of RFC 6890). An IPv6 address
/// that stands for an IPv4 one is looked at as both.
pub(crate) fn reserved(address: IpAddr) -> Option<Reserved> {
    match address {
        IpAddr::V4(address) => reserved_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(v4) => reserved_v4(v4).or(Some(Reserved::Local("an IPv4 address in IPv6 form"))),
            None => reserved_v6(address),
        },
    }
}

fn reserved_v4(address: Ipv4Addr) -> Option<Reserved> {
    use Reserved::Local;
    use Reserved::Never;
    Some(match address.octets() {
        [0, ..] => Never("an address of nobody"),
        [127, ..] => Local("a loopback address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Local("a private address"),
        [100, 64..=127, ..] => Local("a shared address"),
        [169, 254, ..] => Never("a link-local address"),
        [192, 0, 0, _] | [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] => {
            Never("a reserved address")
        }
        [198, 18..=19, ..] => Local("an address for benchmarks"),
        [224..=239, ..] => Never("a multicast address"),
        [240..=255, ..] => Never("a reserved address"),
        _of_the_internet => return None,
    })
}

fn reserved_v6(address: Ipv6Addr) -> Option<Reserved> {
    use Reserved::Local;
    use Reserved::Never;
    if address.is_unspecified() {
        return Some(Never("an address of nobody"));
    }
    if address.is_loopback() {
        return Some(Local("a loopback address"));
    }
    Some(match address.segments() {
        [0xfc00..=0xfdff, ..] => Local("a private address"),
        [0xfe80..=0xfebf, ..] => Never("a link-local address"),
        [0xfec0..=0xfeff, ..] => Local("a site-local address"),
        [0xff00..=0xffff, ..] => Never("a multicast address"),
        // Benchmarks, Teredo and the like; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => {
            Never("a reserved address")
        }
        [0x2000..=0x3fff, ..] => return None,
        _not_given_out => Never("a reserved address"),
    })
}

/// The IPv4 address within: mapped, compatible, translated (RFC 6052, RFC 8215), 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0..=1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        _other => None,
    }
}
