//! Numbers of connections that fit into the limit of open files.

use paddock_config::Config;
use rustix::process::{Resource, getrlimit};

/// Descriptors of paddock itself: three runtimes and up, listeners, databases, watches, logs, outgoing
/// connections, and the connections that are being refused.
const OWN: usize = 64;

/// Descriptors of a child at most: its pid, three pipes, a probe, and both ends of the pipes while it starts;
/// its model's file is read besides.
const PER_CHILD: usize = 10;

/// Descriptors of a connection to the admin plane on average: itself, and three more for each chat.
const PER_ADMIN_CONNECTION: usize = 2;

/// Descriptors of a client's connection: itself and its upstream connection.
const PER_CONNECTION: usize = 2;

/// The part of what is left that is for idle upstream connections, and for unix sockets that wait for room
/// (`proxy/stream/socket.rs` registers these twice): a sixteenth.
const SPARE_PART: usize = 16;

/// The fewest client connections with which paddock starts.
const MIN_CONNECTIONS: usize = 4;

/// The most client connections that are derived from a large limit: each can occupy a buffer of 65 KiB with
/// an unfinished head, so these are a gigabyte.
const MAX_DERIVED: usize = 16_384;

/// The fewest and the most connections to the admin plane.
const MIN_ADMIN: usize = 4;
const MAX_ADMIN: usize = 64;

/// A limit of open files that is enough in nearly every case, for messages.
const RECOMMENDED: usize = 1024;

/// Numbers of connections that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Clients' connections.
    pub clients: usize,
    /// Connections to the admin plane.
    pub admin: usize,
    /// Idle connections to children.
    pub idle_upstreams: usize,
}

/// The limit of open files is too low.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooFewDescriptors {
    /// Not even the fewest connections fit.
    #[error(
        "this process may open {limit} files, and paddock needs {needs} at least: raise the limit with \
         `LimitNOFILE={RECOMMENDED}` in the systemd unit, or with `ulimit -n {RECOMMENDED}` before the start"
    )]
    Start {
        /// The limit.
        limit: usize,
        /// The lowest with which paddock starts.
        needs: usize,
    },
    /// The configured number of connections does not fit.
    #[error(
        "`server.max_connections` is {configured}, for which paddock needs {needs} open files, and this \
         process may open {limit}: raise the limit with `LimitNOFILE={needs}` in the systemd unit or with \
         `ulimit -n {needs}` before the start, or set `server.max_connections` to {most} or less"
    )]
    Configured {
        /// The configured number.
        configured: usize,
        /// The limit.
        limit: usize,
        /// The lowest limit with which that number fits.
        needs: usize,
        /// The highest number that fits.
        most: usize,
    },
}

/// Derives how many connections there may be from this process's limit of open files.
///
/// # Errors
/// The limit is too low for paddock, or for what is configured.
pub fn connection_limits(config: &Config) -> Result<ConnectionLimits, TooFewDescriptors> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let models = config.models.len();
    let children = config
        .scheduler
        .max_loaded
        .map_or(models, |most| models.min(most.get() as usize));
    derive(limit, children, config.server.max_connections as usize)
}

/// Shares `limit` descriptors out. `configured` connections are wanted; 0: as many as fit.
fn derive(
    limit: usize,
    children: usize,
    configured: usize,
) -> Result<ConnectionLimits, TooFewDescriptors> {
    let admin = (limit / 16).clamp(MIN_ADMIN, MAX_ADMIN);
    // Of many models only some fit into memory at once.
    let children = children.clamp(1, (limit / 64).max(1));
    let reserved = OWN + children * PER_CHILD + admin * PER_ADMIN_CONNECTION;
    let free = limit.saturating_sub(reserved);
    let spare = free / SPARE_PART;
    let most = (free - spare) / PER_CONNECTION;
    if most < MIN_CONNECTIONS {
        // A higher limit lets more connections to the admin plane in.
        let admin = 2 * MIN_ADMIN * PER_ADMIN_CONNECTION;
        let needs = OWN + PER_CHILD + admin + (MIN_CONNECTIONS + 1) * PER_CONNECTION;
        return Err(TooFewDescriptors::Start { limit, needs });
    }
    if configured > most {
        let rest = MAX_ADMIN * PER_ADMIN_CONNECTION + children * PER_CHILD;
        let clients = configured.saturating_mul(PER_CONNECTION);
        return Err(TooFewDescriptors::Configured {
            configured,
            limit,
            needs: OWN + rest + clients.saturating_add(clients / (SPARE_PART - 1)) + SPARE_PART,
            most,
        });
    }
    let clients = match configured {
        0 => most.min(MAX_DERIVED),
        configured => configured,
    };
    Ok(ConnectionLimits {
        clients,
        admin,
        idle_upstreams: spare,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_has_room_for_its_upstream_beside_what_is_reserved() {
        for (limit, children, clients, admin) in [
            (128, 1, 18, 8),
            (256, 1, 70, 16),
            (1024, 1, 385, 64),
            (1024, 500, 315, 64),
            (1 << 20, 3, MAX_DERIVED, MAX_ADMIN),
            (usize::MAX, 0, MAX_DERIVED, MAX_ADMIN),
        ] {
            let derived = derive(limit, children, 0).unwrap();
            assert_eq!(
                (derived.clients, derived.admin),
                (clients, admin),
                "{limit}"
            );
            assert!(OWN + 2 * clients + derived.idle_upstreams < limit);
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_says_enough() {
        for limit in [0, 48, 88] {
            let Err(TooFewDescriptors::Start { needs, .. }) = derive(limit, 1, 0) else {
                panic!("it starts with {limit}");
            };
            assert!(derive(needs, 9, 0).is_ok(), "{needs}");
        }
        let most = derive(1024, 1, 0).unwrap().clients;
        assert!(derive(1024, 1, most).is_ok());
        let error = derive(1024, 1, most + 1).unwrap_err();
        let TooFewDescriptors::Configured { needs, .. } = error else {
            panic!("{error}");
        };
        assert!(derive(needs, 1, most + 1).is_ok());
        assert!(error.to_string().contains("LimitNOFILE"), "{error}");
    }
}
