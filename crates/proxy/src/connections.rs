//! The number of clients' connections, and its limits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bits of an IPv6 address that tell one client from another: whoever has one address has its whole /64.
const IPV6_CLIENT: u128 = !0 << 64;

/// All connections of clients, on every address and worker.
#[derive(Debug, Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    free: Arc<Semaphore>,
    /// The most of one address; 0: any number.
    per_address: u32,
    addresses: Mutex<HashMap<IpAddr, u32>>,
    refused: AtomicU64,
}

/// The place of one connection. Its end frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _address: Option<CountedAddress>,
}

/// A connection's share of what its address may have.
#[derive(Debug)]
pub(super) struct CountedAddress {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Connections {
    /// Lets `limit` connections in, of each address `per_address` at most; 0: any number.
    pub fn new(limit: usize, per_address: u32) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
                limit,
                free: Arc::new(Semaphore::new(limit)),
                per_address,
                addresses: Mutex::default(),
                refused: AtomicU64::new(0),
            }),
        }
    }

    /// Counts a connection of an address. `Err` if the address has as many as it may. Reverse proxies, and
    /// everything on this machine, share an address: loopback never counts.
    pub(super) fn count(&self, from: Option<IpAddr>) -> Result<Option<CountedAddress>, u32> {
        let most = self.shared.per_address;
        let Some(address) = from.map(client_of).filter(|at| !at.is_loopback()) else {
            return Ok(None);
        };
        if most == 0 {
            return Ok(None);
        }
        let mut addresses = lock(&self.shared.addresses);
        let count = addresses.entry(address).or_default();
        if *count >= most {
            return Err(most);
        }
        *count += 1;
        let shared = Arc::clone(&self.shared);
        Ok(Some(CountedAddress { shared, address }))
    }

    /// A place for a connection, if there is one. The connection is given back where there is none.
    pub(super) fn try_enter(
        &self,
        address: Option<CountedAddress>,
    ) -> Result<Place, Option<CountedAddress>> {
        match Arc::clone(&self.shared.free).try_acquire_owned() {
            Ok(permit) => Ok(place(permit, address)),
            Err(_) => Err(address),
        }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, address: Option<CountedAddress>) -> Option<Place> {
        let permit = Arc::clone(&self.shared.free).acquire_owned().await.ok()?;
        Some(place(permit, address))
    }

    /// Counts a connection that was refused.
    pub(super) fn refuse(&self) {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// The most connections there may be.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        let free = self.shared.free.available_permits();
        self.shared.limit.saturating_sub(free)
    }

    /// Connections that were refused so far.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

fn place(permit: OwnedSemaphorePermit, address: Option<CountedAddress>) -> Place {
    Place {
        _permit: permit,
        _address: address,
    }
}

impl Drop for CountedAddress {
    fn drop(&mut self) {
        let mut addresses = lock(&self.shared.addresses);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Counts are whole after every change, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of an address that belongs to one client.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & IPV6_CLIENT))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let connections = Connections::new(100, 2);
        let mut open = Vec::new();
        for (address, enters) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8::1", true),
            ("2001:db8::2", true),
            ("2001:db8::3", false),
            ("2001:db8:0:1::3", true),
            ("127.0.0.1", true),
            ("127.0.0.1", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("::1", true),
            ("::1", true),
        ] {
            let counted = connections.count(Some(from(address)));
            assert_eq!(counted.is_ok(), enters, "{address}");
            open.push((address, counted));
        }
        open.retain(|(address, _)| *address != "::ffff:192.0.2.1");
        assert!(connections.count(Some(from("192.0.2.1"))).is_ok());
        drop(open);
        assert!(lock(&connections.shared.addresses).is_empty());
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let connections = Connections::new(1, 0);
        let first = connections.try_enter(None).unwrap();
        assert!(connections.try_enter(None).is_err());
        assert_eq!((connections.open(), connections.limit()), (1, 1));
        drop(first);
        assert_eq!(connections.open(), 0);
        assert!(connections.try_enter(None).is_ok());
    }
}
