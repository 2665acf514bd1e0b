//! Finds the paddock to ask where no address is given.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::Method;
use tokio::time::timeout;

use super::{Address, Client, Trouble};

/// The port of the admin address that paddock has without being told one.
const DEFAULT_PORT: u16 = 8081;

/// The longest time that something at that address is waited for: it may be no paddock.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the address to ask: the default one, unless wrapped commands have taken others and no paddock is there.
///
/// # Errors
/// There are several.
pub(super) async fn address(key: Option<&OsString>) -> Result<Address, Trouble> {
    let recorded = paddock_server::wrapped_admin_addresses();
    let recorded: Vec<Address> = recorded.iter().filter_map(|at| at.parse().ok()).collect();
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
    let default = Address::Tcp(default.to_string());
    let takes_default = recorded.is_empty() || recorded.contains(&default);
    if takes_default || is_paddock(&default, key).await {
        return Ok(default);
    }
    one_of(recorded)
}

fn one_of(mut recorded: Vec<Address>) -> Result<Address, Trouble> {
    match recorded.pop() {
        Some(only) if recorded.is_empty() => Ok(only),
        last => {
            recorded.extend(last);
            Err(Trouble::Several { at: recorded })
        }
    }
}

async fn is_paddock(at: &Address, key: Option<&OsString>) -> bool {
    let client = Client::new(at.clone(), key.cloned());
    match timeout(DEFAULT_TIMEOUT, client.ask(Method::GET, "/livez")).await {
        Ok(Ok(_)) => true,
        Ok(Err(trouble)) => matches!(trouble, Trouble::NoKey { .. } | Trouble::Refused { .. }),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_found_and_of_several_none_is_chosen() {
        let at = |port: u16| Address::Tcp(format!("127.0.0.1:{port}"));
        assert_eq!(one_of(vec![at(1)]).unwrap(), at(1));
        let several = one_of(vec![at(1), at(2)]).unwrap_err().to_string();
        assert!(several.contains("127.0.0.1:1, 127.0.0.1:2"), "{several}");
    }
}
