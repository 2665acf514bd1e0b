//! Rules for requests of web pages, which browsers send on behalf of authors unknown to the operator.
//!
//! A browser states the page's origin in `Origin` with every request whose response the page may read, and with
//! every request that is not `GET` or `HEAD` (Fetch §3.2); pages cannot change the field. Three kinds of requests
//! lack it: those of other clients; a `GET` that a page of another site makes without reading the response, such
//! as for an image, which `Sec-Fetch-Site` reveals; and a `GET` of a page that the browser takes for paddock's own.
//! The last is hostile if the page's host name was made to point here (DNS rebinding), which `Host` reveals.
//!
//! The decisions have no side effects. `proxy/src/cors.rs` applies them on the public plane (the addresses for
//! clients), `server/src/routes/browser_guard.rs` on the admin plane (the addresses for operators).

use paddock_config::host;
use paddock_config::{AllowedOrigins, Config, EngineCors, HostName, Model, split_origin};
use paddock_scheduler::ModelId;

/// Web pages that may use the public and the admin plane. Part of the [`Catalog`](crate::catalog::Catalog).
#[derive(Debug)]
pub struct BrowserPolicy {
    origins: AllowedOrigins,
    /// `origins` contains every page.
    allows_any: bool,
    /// Clients must present a key; a page whose host name was made to point here has none.
    requires_key: bool,
    /// paddock runs as `paddock wrap`: the flags of the wrapped llama-server say which pages are allowed.
    is_wrapped: bool,
    /// Host names accepted on the admin plane, in addition to its addresses and `localhost`.
    admin_hosts: Vec<HostName>,
    /// The CORS flags of each model's child.
    engine_cors: Vec<(ModelId, EngineCors)>,
    /// The CORS flags of all children if they agree, else llama-server's defaults.
    common_cors: EngineCors,
}

/// Reason to deny a request that a web page sends or may have sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageRefusal {
    /// Pages of this origin may not use the public address.
    #[error("web pages of {origin} may not use this address; the operator can allow them: {}", how_to_allow(.origin, *.is_wrapped))]
    Origin {
        /// The origin.
        origin: String,
        /// The flags of a wrapped command say which pages may.
        is_wrapped: bool,
    },
    /// A page of another site sends a request that states no origin.
    #[error(
        "refused: a page of another site sent this request without an Origin header (`Sec-Fetch-Site: cross-site`), \
         as browsers do for images and frames; a page whose origin is in `server.allowed_origins` can use fetch()"
    )]
    CrossSite,
    /// The host name of the request may have been made to point here.
    #[error(
        "'{host}' is not a known name of this server; a malicious page could point that name at this server (DNS \
         rebinding); use the server's IP address or localhost, or add \"http://{host}\" to `server.allowed_origins`"
    )]
    Host {
        /// The name.
        host: String,
    },
}

/// Returns the advice for a page whose origin is not allowed.
fn how_to_allow(origin: &str, is_wrapped: bool) -> String {
    match (is_wrapped, origin) {
        (true, "null") => {
            "serve the page from http://localhost, or give the wrapped command an `--api-key` (under `paddock serve`, \
             set `server.allowed_origins`)"
                .to_owned()
        }
        (true, _) => format!(
            "give the wrapped command `--cors-origins {origin}`, or an `--api-key` (under `paddock serve`, \
             set `server.allowed_origins`)"
        ),
        (false, "null") => {
            "\"null\" in `server.allowed_origins` stands for local files and for sandboxed frames of every site; \
             it is safer to serve the page from http://localhost"
                .to_owned()
        }
        (false, _) => format!("add \"{origin}\" to `server.allowed_origins`"),
    }
}

/// Maximum length of an origin or host in an error message, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// Properties of a request that show whether a web page sent it.
#[derive(Debug, Clone, Copy)]
pub struct PageFacts<'a> {
    /// `Origin`; an empty one, which no browser sends, counts as none.
    pub origin: Option<&'a [u8]>,
    /// `Host`; empty without one.
    pub host: &'a [u8],
    /// The method is GET or HEAD.
    pub is_read: bool,
    /// `Sec-Fetch-Site: cross-site`, and the page does not become the browser's new page.
    pub is_embed: bool,
}

impl BrowserPolicy {
    /// Creates the policy of a configuration for its models.
    pub fn new<'a>(config: &Config, models: impl Iterator<Item = (ModelId, &'a Model)>) -> Self {
        let engine_cors =
            models.map(|(id, model)| (id, EngineCors::from_command(&config.command(model))));
        let engine_cors: Vec<_> = engine_cors.collect();
        let origins = config.allowed_origins();
        Self {
            allows_any: origins.is_any(),
            origins,
            requires_key: config.clients_need_key(),
            is_wrapped: matches!(config.mode, paddock_config::Mode::Wrap { .. }),
            admin_hosts: config.server.admin_hosts.clone(),
            common_cors: common_cors(&engine_cors),
            engine_cors,
        }
    }

    /// Creates a policy that allows only pages of these origins.
    pub fn from_origins(origins: AllowedOrigins) -> Self {
        Self {
            allows_any: origins.is_any(),
            origins,
            ..Self::default()
        }
    }

    /// Returns an error if a page may not send this request to the public plane. `over_loopback` is called only for
    /// a name that public DNS can resolve.
    pub fn check(
        &self,
        facts: &PageFacts<'_>,
        over_loopback: impl FnOnce() -> bool,
    ) -> Result<(), PageRefusal> {
        if self.allows_any {
            return Ok(());
        }
        match facts.origin {
            Some(origin) if !origin.is_empty() => match self.allows(origin, facts.host) {
                true => Ok(()),
                false => Err(PageRefusal::Origin {
                    origin: quote_truncated(origin),
                    is_wrapped: self.is_wrapped,
                }),
            },
            _ if !facts.is_read => Ok(()),
            _ if facts.is_embed => Err(PageRefusal::CrossSite),
            _ => self.check_host(facts.host, over_loopback),
        }
    }

    /// Returns whether pages of an origin may use the public plane that they reach as `host`: configured origins, and
    /// pages that paddock's own address serves, such as the web interface of llama-server.
    fn allows(&self, origin: &[u8], host: &[u8]) -> bool {
        self.origins.allows(origin) || {
            let name = std::str::from_utf8(host).unwrap_or_default();
            is_same_origin(origin, host) && host::is_local(host::strip_port(name))
        }
    }

    /// Returns an error for a host name that may have been made to point at this machine.
    ///
    /// Clients on other machines may use any name for another address of this machine.
    fn check_host(
        &self,
        host: &[u8],
        over_loopback: impl FnOnce() -> bool,
    ) -> Result<(), PageRefusal> {
        let name = host::strip_port(std::str::from_utf8(host).unwrap_or_default());
        let is_fine = self.requires_key || host::is_local(name) || self.origins.has_host(name);
        if is_fine || !over_loopback() {
            return Ok(());
        }
        Err(PageRefusal::Host {
            host: quote_truncated(name.as_bytes()),
        })
    }

    /// Returns whether operators reach the admin plane under this host.
    pub fn is_admin_host(&self, authority: &str) -> bool {
        let name = host::strip_port(authority);
        // Browsers never leave the host empty.
        name.is_empty() || host::is_address_or_localhost(name) || self.is_admin_name(name)
    }

    /// Returns whether an origin is the dashboard's, as reached at `host`.
    pub fn is_admin_origin(&self, origin: &str, host: &str) -> bool {
        let Some(authority) = web_authority(origin.as_bytes()) else {
            return false;
        };
        let authority = std::str::from_utf8(authority).unwrap_or_default();
        self.is_admin_name(host::strip_port(authority))
            || authority.eq_ignore_ascii_case(host) && self.is_admin_host(authority)
    }

    fn is_admin_name(&self, name: &str) -> bool {
        self.admin_hosts.iter().any(|host| host.matches(name))
    }

    /// Returns the CORS flags of a model's child; without a model, those that all children share.
    pub fn engine_cors(&self, model: Option<ModelId>) -> &EngineCors {
        let mut engine_cors = self.engine_cors.iter();
        let found = engine_cors.find(|(id, _)| Some(*id) == model);
        found.map_or(&self.common_cors, |(_, cors)| cors)
    }
}

impl Default for BrowserPolicy {
    /// Returns the policy before a configuration is known: only pages of this machine are allowed.
    fn default() -> Self {
        Self {
            origins: AllowedOrigins::local(),
            allows_any: false,
            requires_key: false,
            is_wrapped: false,
            admin_hosts: Vec::new(),
            engine_cors: Vec::new(),
            common_cors: EngineCors::default(),
        }
    }
}

/// Returns the CORS flags of all children if they agree, else llama-server's defaults.
fn common_cors(engine_cors: &[(ModelId, EngineCors)]) -> EngineCors {
    match engine_cors.split_first() {
        Some(((_, first), rest)) if rest.iter().all(|(_, cors)| cors == first) => first.clone(),
        _ => EngineCors::default(),
    }
}

/// Returns the authority of an `http` or `https` origin; `None` for pages of desktop programs, which no server serves.
fn web_authority(origin: &[u8]) -> Option<&[u8]> {
    let (scheme, authority) = split_origin(origin)?;
    let is_web = [&b"http"[..], b"https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    Some(authority).filter(|authority| is_web && !authority.is_empty())
}

/// Returns whether the host of the request served the page. The scheme does not matter: a proxy in front may have
/// added TLS.
fn is_same_origin(origin: &[u8], host: &[u8]) -> bool {
    web_authority(origin).is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn quote_truncated(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(MAX_QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests;
