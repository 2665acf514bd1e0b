//! Limits the number of clients' connections, in all and per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bits of an IPv6 address that identify a client: a host can use its whole /64.
const IPV6_CLIENT_MASK: u128 = !0 << 64;

/// Counts and limits clients' connections, on all listening addresses and all worker threads together.
#[derive(Debug, Clone)]
pub struct ConnectionLimiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Limit of open connections.
    limit: usize,
    /// Permits of connections that may still be opened.
    free: Arc<Semaphore>,
    /// Limit per client address; 0: no limit.
    per_address: u32,
    /// Number of open connections per client address.
    addresses: Mutex<HashMap<IpAddr, u32>>,
    refused: AtomicU64,
}

/// Permission for one open connection; released on drop.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
    _address: Option<AddressPermit>,
}

/// A connection's share of its address's limit; released on drop.
#[derive(Debug)]
pub(super) struct AddressPermit {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl ConnectionLimiter {
    /// Admits `limit` connections, at most `per_address` of them from each address (0: no limit per address).
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

    /// Counts a connection from an address. Returns the limit as `Err` if the address has reached it. Loopback
    /// never counts: reverse proxies and all local clients share it.
    pub(super) fn admit_address(&self, from: Option<IpAddr>) -> Result<Option<AddressPermit>, u32> {
        let most = self.shared.per_address;
        let Some(address) = from.map(client_prefix).filter(|at| !at.is_loopback()) else {
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
        Ok(Some(AddressPermit { shared, address }))
    }

    /// Acquires a permit if one is free; else returns the address's share.
    pub(super) fn try_acquire(
        &self,
        address: Option<AddressPermit>,
    ) -> Result<ConnectionPermit, Option<AddressPermit>> {
        match Arc::clone(&self.shared.free).try_acquire_owned() {
            Ok(permit) => Ok(new_permit(permit, address)),
            Err(_) => Err(address),
        }
    }

    /// Waits for a permit.
    pub(super) async fn acquire(&self, address: Option<AddressPermit>) -> Option<ConnectionPermit> {
        let permit = Arc::clone(&self.shared.free).acquire_owned().await.ok()?;
        Some(new_permit(permit, address))
    }

    /// Counts a refused connection.
    pub(super) fn count_refusal(&self) {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the limit of open connections.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Returns how many connections are open.
    pub fn open_count(&self) -> usize {
        let free = self.shared.free.available_permits();
        self.shared.limit.saturating_sub(free)
    }

    /// Returns how many connections were refused so far.
    pub fn refused_count(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

fn new_permit(permit: OwnedSemaphorePermit, address: Option<AddressPermit>) -> ConnectionPermit {
    ConnectionPermit {
        _permit: permit,
        _address: address,
    }
}

impl Drop for AddressPermit {
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

/// Locks despite poisoning: every change leaves the counts consistent.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the part of an address that identifies one client.
fn client_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & IPV6_CLIENT_MASK))
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
        let connections = ConnectionLimiter::new(100, 2);
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
            let counted = connections.admit_address(Some(from(address)));
            assert_eq!(counted.is_ok(), enters, "{address}");
            open.push((address, counted));
        }
        open.retain(|(address, _)| *address != "::ffff:192.0.2.1");
        assert!(connections.admit_address(Some(from("192.0.2.1"))).is_ok());
        drop(open);
        assert!(lock(&connections.shared.addresses).is_empty());
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let connections = ConnectionLimiter::new(1, 0);
        let first = connections.try_acquire(None).unwrap();
        assert!(connections.try_acquire(None).is_err());
        assert_eq!((connections.open_count(), connections.limit()), (1, 1));
        drop(first);
        assert_eq!(connections.open_count(), 0);
        assert!(connections.try_acquire(None).is_ok());
    }
}
