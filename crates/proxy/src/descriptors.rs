//! Derives the numbers of connections that fit into the limit of open files (`RLIMIT_NOFILE`).

use paddock_config::Config;
use rustix::process::{Resource, getrlimit};

/// Descriptors of paddock itself: at least three runtimes, listeners, databases, watches, logs, outgoing
/// connections, and connections that are being refused.
const RESERVED_DESCRIPTORS: usize = 64;

/// Descriptors per child (a model's llama-server): a pidfd, three pipes, the other ends of the pipes while the
/// child starts, a health probe, and the model's file.
const DESCRIPTORS_PER_CHILD: usize = 10;

/// Average descriptors per connection to the admin plane (the operator's HTTP address): one, and three more if
/// the connection carries a chat.
const DESCRIPTORS_PER_ADMIN_CONNECTION: usize = 2;

/// Descriptors per client's connection: one, and one for its upstream connection.
const DESCRIPTORS_PER_CONNECTION: usize = 2;

/// Divisor of the free descriptors: this share of them is kept for idle upstream connections, and for unix sockets
/// that wait to write, which `stream.rs` registers twice.
const SPARE_DIVISOR: usize = 16;

/// Fewest client connections with which paddock starts.
const MIN_CONNECTIONS: usize = 4;

/// Most client connections derived from a large limit of open files. Each connection can occupy a 65 KiB buffer
/// with an unfinished head, so together they can occupy one gigabyte.
const MAX_DERIVED_CONNECTIONS: usize = 16_384;

/// Fewest connections to the admin plane.
const MIN_ADMIN_CONNECTIONS: usize = 4;
/// Most connections to the admin plane.
const MAX_ADMIN_CONNECTIONS: usize = 64;

/// Limit of open files that error messages recommend: enough in nearly every case.
const RECOMMENDED_LIMIT: usize = 1024;

/// Numbers of connections that fit into the limit of open files.
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
        "this process may open {limit} files, and paddock needs at least {needs}: raise the limit with \
         `LimitNOFILE={RECOMMENDED_LIMIT}` in the systemd unit, or with `ulimit -n {RECOMMENDED_LIMIT}` before \
         starting paddock"
    )]
    Start {
        /// The limit.
        limit: usize,
        /// The lowest limit with which paddock starts.
        needs: usize,
    },
    /// The configured number of connections does not fit.
    #[error(
        "`server.max_connections` is {configured}, which needs {needs} open files, and this process may open \
         {limit}: raise the limit with `LimitNOFILE={needs}` in the systemd unit or with \
         `ulimit -n {needs}` before starting paddock, or set `server.max_connections` to {most} or less"
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

/// Derives the numbers of connections from this process's limit of open files.
///
/// # Errors
/// The limit is too low for paddock, or for the configured number.
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

/// Divides `limit` descriptors. `configured` is the wanted number of client connections; 0: as many as fit.
fn derive(
    limit: usize,
    children: usize,
    configured: usize,
) -> Result<ConnectionLimits, TooFewDescriptors> {
    let admin = (limit / 16).clamp(MIN_ADMIN_CONNECTIONS, MAX_ADMIN_CONNECTIONS);
    // Only some of many models fit into memory at once.
    let children = children.clamp(1, (limit / 64).max(1));
    let reserved = RESERVED_DESCRIPTORS
        + children * DESCRIPTORS_PER_CHILD
        + admin * DESCRIPTORS_PER_ADMIN_CONNECTION;
    let free = limit.saturating_sub(reserved);
    let spare = free / SPARE_DIVISOR;
    let most = (free - spare) / DESCRIPTORS_PER_CONNECTION;
    if most < MIN_CONNECTIONS {
        // A higher limit also admits more connections to the admin plane.
        let admin = 2 * MIN_ADMIN_CONNECTIONS * DESCRIPTORS_PER_ADMIN_CONNECTION;
        let needs = RESERVED_DESCRIPTORS
            + DESCRIPTORS_PER_CHILD
            + admin
            + (MIN_CONNECTIONS + 1) * DESCRIPTORS_PER_CONNECTION;
        return Err(TooFewDescriptors::Start { limit, needs });
    }
    if configured > most {
        let rest = MAX_ADMIN_CONNECTIONS * DESCRIPTORS_PER_ADMIN_CONNECTION
            + children * DESCRIPTORS_PER_CHILD;
        let clients = configured.saturating_mul(DESCRIPTORS_PER_CONNECTION);
        return Err(TooFewDescriptors::Configured {
            configured,
            limit,
            needs: RESERVED_DESCRIPTORS
                + rest
                + clients.saturating_add(clients / (SPARE_DIVISOR - 1))
                + SPARE_DIVISOR,
            most,
        });
    }
    let clients = match configured {
        0 => most.min(MAX_DERIVED_CONNECTIONS),
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
            (1 << 20, 3, MAX_DERIVED_CONNECTIONS, MAX_ADMIN_CONNECTIONS),
            (
                usize::MAX,
                0,
                MAX_DERIVED_CONNECTIONS,
                MAX_ADMIN_CONNECTIONS,
            ),
        ] {
            let derived = derive(limit, children, 0).unwrap();
            assert_eq!(
                (derived.clients, derived.admin),
                (clients, admin),
                "{limit}"
            );
            assert!(RESERVED_DESCRIPTORS + 2 * clients + derived.idle_upstreams < limit);
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
