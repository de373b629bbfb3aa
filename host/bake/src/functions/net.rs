//! Networks in the notation of CIDR.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use num_bigint::BigInt;

use super::{Computed, Row, failed, number, numeric, string, text, whole, wrong};
use crate::value::Value;

pub const FUNCTIONS: &[Row] = &[
    (
        "cidrhost",
        &[string("prefix"), number("hostnum")],
        None,
        |_, values| host(values),
    ),
    ("cidrnetmask", &[string("prefix")], None, |_, values| {
        let network = Network::parse(text(values, 0))?;
        Ok(Value::from(network.address(network.mask())))
    }),
    (
        "cidrsubnet",
        &[string("prefix"), number("newbits"), number("netnum")],
        None,
        |_, values| subnet(values),
    ),
    (
        "cidrsubnets",
        &[string("prefix")],
        Some(number("newbits")),
        |_, values| subnets(values),
    ),
];

/// A network: the bits of the address, how many of them are the prefix, and how many there are.
#[derive(Debug, Clone, Copy)]
struct Network {
    address: u128,
    prefix: u32,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Computed<Self> {
        let fault = || {
            failed(format!(
                "invalid CIDR expression: invalid CIDR address: {text}"
            ))
        };
        let (address, prefix) = text.split_once('/').ok_or_else(fault)?;
        let prefix: u32 = match prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            true => prefix.parse().map_err(|_| fault())?,
            false => return Err(fault()),
        };
        let (address, bits) = match address.parse().map_err(|_| fault())? {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        if prefix > bits {
            return Err(fault());
        }
        let network = Self {
            address,
            prefix,
            bits,
        };
        Ok(Self {
            address: address & network.mask(),
            ..network
        })
    }

    /// Returns the mask of a prefix of this length.
    fn mask(&self) -> u128 {
        let all = u128::MAX >> (128 - self.bits);
        all & !low(self.bits - self.prefix)
    }

    fn address(&self, address: u128) -> String {
        match u32::try_from(address) {
            Ok(address) if self.bits == 32 => Ipv4Addr::from_bits(address).to_string(),
            _ => Ipv6Addr::from_bits(address).to_string(),
        }
    }

    /// Returns the network with a number of additional bits in the prefix, which have a value.
    fn within(&self, more: u32, value: u128) -> Self {
        let prefix = self.prefix + more;
        Self {
            address: self.address | value.checked_shl(self.bits - prefix).unwrap_or(0),
            prefix,
            ..*self
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address(self.address), self.prefix)
    }
}

/// Returns a number with this many low bits.
fn low(bits: u32) -> u128 {
    u128::MAX.checked_shr(128 - bits).unwrap_or(0)
}

fn host(values: &[Value]) -> Computed {
    let network = Network::parse(text(values, 0))?;
    let wanted = numeric(values, 1)?
        .to_integer()
        .ok_or_else(|| failed("the number of the host must be a whole number"))?;
    let free = network.bits - network.prefix;
    let size: BigInt = BigInt::from(1) << free;
    let number = if wanted < BigInt::ZERO {
        &size + &wanted
    } else {
        wanted.clone()
    };
    if number < BigInt::ZERO || number >= size {
        return Err(failed(format!(
            "prefix of {} does not accommodate a host numbered {wanted}",
            network.prefix
        )));
    }
    let number: u128 = number.try_into().unwrap_or(0);
    Ok(Value::from(network.address(network.address | number)))
}

/// Returns the network that a prefix is extended to.
fn extended(network: &Network, bits: i64, argument: usize) -> Computed<u32> {
    let Ok(bits) = u32::try_from(bits) else {
        return Err(wrong(argument, "must extend prefix by at least one bit"));
    };
    if bits > 32 {
        return Err(failed("may not extend prefix by more than 32 bits"));
    }
    if network.prefix + bits > network.bits {
        return Err(failed(format!(
            "insufficient address space to extend prefix of {} by {bits}",
            network.prefix
        )));
    }
    Ok(bits)
}

fn subnet(values: &[Value]) -> Computed {
    let network = Network::parse(text(values, 0))?;
    let bits = extended(&network, whole(values, 1, "invalid number of bits")?, 1)?;
    let number = whole(values, 2, "invalid number of the network")?;
    match u128::try_from(number) {
        Ok(value) if value <= low(bits) => Ok(Value::from(network.within(bits, value).to_string())),
        _ => Err(failed(format!(
            "prefix extension of {bits} does not accommodate a subnet numbered {number}"
        ))),
    }
}

fn subnets(values: &[Value]) -> Computed {
    let network = Network::parse(text(values, 0))?;
    let mut next = network.address;
    let mut is_full = false;
    let mut found = Vec::new();
    for index in 1..values.len() {
        let bits = whole(values, index, "invalid number of bits")?;
        if bits < 1 {
            return Err(wrong(index, "must extend prefix by at least one bit"));
        }
        let bits = extended(&network, bits, index)?;
        let prefix = network.prefix + bits;
        let free = network.bits - prefix;
        // The next address that such a network can begin at.
        let begin = next.checked_add(low(free)).map(|next| next & !low(free));
        let last = network.address | low(network.bits - network.prefix);
        let begin = match begin {
            Some(begin) if !is_full && begin <= last => begin,
            _ => {
                return Err(wrong(
                    index,
                    format!(
                        "not enough remaining address space for a subnet with a prefix of {prefix} bits after {}",
                        found.last().map_or("", String::as_str)
                    ),
                ));
            }
        };
        let subnet = Network {
            address: begin,
            prefix,
            bits: network.bits,
        };
        found.push(subnet.to_string());
        match begin
            .checked_add(low(free))
            .and_then(|end| end.checked_add(1))
        {
            Some(after) => next = after,
            None => is_full = true,
        }
    }
    Ok(Value::strings(found))
}
