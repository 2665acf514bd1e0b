//! Finds the admin address of a running paddock if the user gives none.
//!
//! A running `paddock wrap` records its admin address in a file, because it takes another port if the default one is
//! in use.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::Method;
use tokio::time::timeout;

use super::{Address, AdminClient, CommandError};

/// Port of the default admin address.
const DEFAULT_PORT: u16 = 8081;

/// Longest wait for an answer from the default address, where another program may listen.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the address of the only running `paddock wrap` if no paddock answers at the default address; otherwise the
/// default address.
///
/// # Errors
/// No paddock answers at the default address, and several `paddock wrap` commands run.
pub(super) async fn find_address(key: Option<&OsString>) -> Result<Address, CommandError> {
    let recorded = paddock_server::wrapped_admin_addresses();
    let recorded: Vec<Address> = recorded
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
    let default = Address::Tcp(default.to_string());
    let takes_default = recorded.is_empty() || recorded.contains(&default);
    if takes_default || is_paddock(&default, key).await {
        return Ok(default);
    }
    choose_only(recorded)
}

/// Returns the only recorded address, or an error that lists all of them.
fn choose_only(mut recorded: Vec<Address>) -> Result<Address, CommandError> {
    match recorded.pop() {
        Some(only) if recorded.is_empty() => Ok(only),
        last => {
            recorded.extend(last);
            Err(CommandError::SeveralCandidates {
                addresses: recorded,
            })
        }
    }
}

/// Returns whether a paddock answers at `address`, even if it refuses the request or requires another key.
async fn is_paddock(address: &Address, key: Option<&OsString>) -> bool {
    let client = AdminClient::new(address.clone(), key.cloned());
    match timeout(DEFAULT_TIMEOUT, client.request(Method::GET, "/livez")).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => matches!(
            error,
            CommandError::Unauthorized { .. } | CommandError::Refused { .. }
        ),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_found_and_of_several_none_is_chosen() {
        let at = |port: u16| Address::Tcp(format!("127.0.0.1:{port}"));
        assert_eq!(choose_only(vec![at(1)]).unwrap(), at(1));
        let several = choose_only(vec![at(1), at(2)]).unwrap_err().to_string();
        assert!(several.contains("127.0.0.1:1, 127.0.0.1:2"), "{several}");
    }
}
