//! Addresses that the control plane must not be sent to.
//!
//! Whoever may name an address for us to ask could otherwise ask what only we can reach: the machine itself, its network, the
//! cloud's own metadata. A host is resolved first and every address that it has is judged; the caller then connects to the
//! addresses judged, never to the name again, or the name could mean something else by then.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

/// Longest wait for the resolver.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Most addresses of one host: the largest services have some dozens.
const MAX_ADDRESSES: usize = 64;

/// Longest host name that there is.
const MAX_HOST: usize = 253;

/// A network in CIDR notation: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is in it. An IPv4 network has no IPv6 address: each form is allowed by itself.
    pub fn has(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                own.to_bits() & mask4(self.bits) == other.to_bits() & mask4(self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                own.to_bits() & mask6(self.bits) == other.to_bits() & mask6(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let wrong = || "a network is written like 10.0.0.0/8 or fd00::/8".to_string();
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            // `+8` and `08` are numbers to a parser, and slips in a network.
            Some(bits) if bits.len() > 1 && !bits.starts_with(['1', '2', '3', '4', '5', '6', '7', '8', '9']) => {
                return Err(wrong());
            }
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?,
        };
        let masked = match address {
            IpAddr::V4(own) => IpAddr::V4(Ipv4Addr::from_bits(own.to_bits() & mask4(bits))),
            IpAddr::V6(own) => IpAddr::V6(Ipv6Addr::from_bits(own.to_bits() & mask6(bits))),
        };
        match masked == address {
            true => Ok(Network { address, bits }),
            false => Err(format!("{text} names an address within a network; its first one is {masked}/{bits}")),
        }
    }
}

fn mask4(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0)
}

fn mask6(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0)
}

/// An address that must not be asked, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The address.
    pub address: IpAddr,
    /// What it belongs to.
    pub kind: &'static str,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} must not be asked: {}; `allow_networks` in the settings file allows more",
            self.address, self.kind
        )
    }
}

impl std::error::Error for Forbidden {}

/// Judges an address: it may be asked if the whole Internet could, or if an allowed network has it.
pub fn screen(address: IpAddr, allowed: &[Network]) -> Result<(), Forbidden> {
    // An address of IPv4 in another form is the same place: whoever allowed the one allowed the other.
    let inner = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => inner(address).map(IpAddr::V4),
    };
    let allows = |network: &Network| network.has(address) || inner.is_some_and(|inner| network.has(inner));
    match kind(address).filter(|_| !allowed.iter().any(allows)) {
        Some(kind) => Err(Forbidden { address, kind }),
        None => Ok(()),
    }
}

/// Resolves a host and judges every address that it has; all must pass, or a host with one good address would open the others.
pub async fn resolve_and_screen(host: &str, port: u16, allowed: &[Network]) -> Result<Vec<IpAddr>, String> {
    let addresses = match literal(host)? {
        Some(address) => vec![address],
        None => resolve(host, port).await?,
    };
    for address in &addresses {
        screen(*address, allowed).map_err(|why| why.to_string())?;
    }
    Ok(addresses)
}

async fn resolve(host: &str, port: u16) -> Result<Vec<IpAddr>, String> {
    let looked_up = tokio::time::timeout(MAX_WAIT, tokio::net::lookup_host((host, port))).await;
    let found = match looked_up {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(format!("{host} has no address: {error}")),
        Err(_) => return Err(format!("{host}: the resolver did not answer within {} seconds", MAX_WAIT.as_secs())),
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|found| found.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.len() {
        0 => Err(format!("{host} has no address")),
        1..=MAX_ADDRESSES => Ok(addresses),
        count => Err(format!("{host} has {count} addresses; {MAX_ADDRESSES} are judged at most")),
    }
}

/// The address that a host is written as; `None` for a name. What a resolver might take for an address though it is not
/// written as one (`2130706433`, `0x7f.1`, `0177.0.0.1`) is refused: no honest name looks like that.
fn literal(host: &str) -> Result<Option<IpAddr>, String> {
    let wrong = |why: &str| Err(format!("this host is not asked: {why}"));
    if let Some(inside) = host.strip_prefix('[') {
        let inside = inside.strip_suffix(']').unwrap_or_default();
        return match inside.parse::<Ipv6Addr>() {
            Ok(address) => Ok(Some(IpAddr::V6(address))),
            Err(_) if inside.contains('%') => wrong("an address of one network card is nobody's but ours"),
            Err(_) => wrong("what stands in brackets is no IPv6 address"),
        };
    }
    // One dot at the end means the same name, from the root.
    let name = host.strip_suffix('.').unwrap_or(host);
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(Some(address));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || name.len() > MAX_HOST || !name.chars().all(plain) || name.split('.').any(str::is_empty) {
        return wrong("it is no name and no address");
    }
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    if hexadecimal || last.chars().all(|c| c.is_ascii_digit()) {
        return wrong("a host that ends in a number is an address, and is written as four plain numbers");
    }
    Ok(None)
}

/// What a forbidden address belongs to; `None` for what the whole Internet can ask.
fn kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => kind4(address),
        IpAddr::V6(address) => kind6(address),
    }
}

/// Networks of IPv4 that are not the Internet (IANA's registry of special addresses).
fn kind4(address: Ipv4Addr) -> Option<&'static str> {
    let networks: [([u8; 4], u8, &str); 19] = [
        ([0, 0, 0, 0], 8, "this machine"),
        ([127, 0, 0, 0], 8, "this machine"),
        ([10, 0, 0, 0], 8, "a private network"),
        ([172, 16, 0, 0], 12, "a private network"),
        ([192, 168, 0, 0], 16, "a private network"),
        ([169, 254, 0, 0], 16, "the link, where clouds keep their metadata"),
        ([100, 64, 0, 0], 10, "a carrier's own network"),
        ([192, 0, 0, 0], 24, "protocols' own network"),
        ([192, 0, 2, 0], 24, "documentation"),
        ([198, 51, 100, 0], 24, "documentation"),
        ([203, 0, 113, 0], 24, "documentation"),
        ([192, 31, 196, 0], 24, "protocols' own network"),
        ([192, 52, 193, 0], 24, "protocols' own network"),
        ([192, 88, 99, 0], 24, "relays from IPv6"),
        ([192, 175, 48, 0], 24, "protocols' own network"),
        ([198, 18, 0, 0], 15, "benchmarks"),
        ([168, 63, 129, 16], 32, "a cloud's own services"),
        ([224, 0, 0, 0], 4, "many at once"),
        ([240, 0, 0, 0], 4, "reserved, or everybody"),
    ];
    let within = |(net, bits, _): &&([u8; 4], u8, &str)| {
        let mask = mask4(*bits);
        address.to_bits() & mask == Ipv4Addr::from(*net).to_bits() & mask
    };
    networks.iter().find(within).map(|(_, _, kind)| *kind)
}

/// IPv6: only 2000::/3 is the Internet, and not all of it.
fn kind6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inner) = inner(address) {
        return kind4(inner);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Some("this machine"),
        [0xfe80..=0xfebf, ..] => Some("the link"),
        [0xfec0..=0xfeff, ..] => Some("a site's own network"),
        [0xfc00..=0xfdff, ..] => Some("a private network, where clouds keep their metadata"),
        [0xff00..=0xffff, ..] => Some("many at once"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("documentation"),
        // Tunnels through address translators are among them: two addresses of IPv4 are hidden in each.
        [0x2001, 0..=0x1ff, ..] => Some("protocols' own network"),
        // A card's address with an address of IPv4 inside, reached through the site's own tunnel.
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => Some("a site's own tunnel"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("not given to anybody"),
    }
}

/// The address of IPv4 that an address of IPv6 leads to: mapped, translated (64:ff9b::/96), or in 2002::/16. Older and local
/// forms of the same are no part of the Internet anyway.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            (high, low)
        }
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests;
