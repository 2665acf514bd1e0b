//! Rules for requests of web pages: browsers send them on behalf of authors whom the operator does not know.
//!
//! A browser states the page's origin in `Origin` with every request whose answer the page may read, and with
//! every one that is not `GET` or `HEAD` (Fetch §3.2); pages cannot change the field. Three kinds of requests
//! lack it: those of other clients; a `GET` that a page of another site makes without reading the answer, such
//! as for an image, which `Sec-Fetch-Site` tells; and a `GET` of a page that the browser takes for paddock's own.
//! The last is hostile where the page's host name was made to point here (DNS rebinding), which `Host` tells.
//!
//! The decisions are pure. They are made in `proxy/origin.rs` for the public plane and in `routes/guard.rs` for
//! the admin plane.

use paddock_config::host;
use paddock_config::{AllowedOrigins, Config, EngineCors, HostName, Model, split_origin};
use paddock_scheduler::ModelId;

/// Which pages may ask for what, as the configuration says. A part of the catalog, and replaced with it.
#[derive(Debug)]
pub struct BrowserPolicy {
    origins: AllowedOrigins,
    /// `origins` has every page.
    any: bool,
    /// Clients show a key: a page whose name was made to point here has none.
    keyed: bool,
    /// A wrapped command says which pages are allowed, by its flags.
    wraps: bool,
    admin_hosts: Vec<HostName>,
    /// The CORS flags of each model's child.
    engines: Vec<(ModelId, EngineCors)>,
    /// The flags of all children if they agree, else llama-server's defaults.
    common: EngineCors,
}

/// Reason to refuse a request that a web page sends, or could be sending.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageRefusal {
    /// Pages of this origin may not use the public address.
    #[error("web pages of {origin} may not use this address; the operator can allow them: {}", advice(.origin, *.wraps))]
    Origin {
        /// The origin.
        origin: String,
        /// A wrapped command says which pages may.
        wraps: bool,
    },
    /// A page of another site asks in a way that states no origin.
    #[error(
        "a web page of another site asked for this without stating its origin (`Sec-Fetch-Site: cross-site`), as \
         for an image or a frame; a page whose origin is in `server.allowed_origins` can use fetch()"
    )]
    CrossSite,
    /// The name under which paddock is asked could have been made to point here.
    #[error(
        "this address does not go by the name '{host}', which somebody may have made point here for a web page \
         (DNS rebinding); ask for it by its address or as localhost, or add \"http://{host}\" to \
         `server.allowed_origins`"
    )]
    Host {
        /// The name.
        host: String,
    },
}

fn advice(origin: &str, wraps: bool) -> String {
    match (wraps, origin) {
        (true, "null") => {
            "serve the page from http://localhost, or give the wrapped command an `--api-key` (with `paddock serve`: \
             `server.allowed_origins`)"
                .to_owned()
        }
        (true, _) => format!(
            "give the wrapped command `--cors-origins {origin}`, or an `--api-key` (with `paddock serve`: \
             `server.allowed_origins`)"
        ),
        (false, "null") => {
            "\"null\" in `server.allowed_origins` stands for local files and for sandboxed frames of every site; \
             better serve the page from http://localhost"
                .to_owned()
        }
        (false, _) => format!("add \"{origin}\" to `server.allowed_origins`"),
    }
}

/// The longest origin and host that an error repeats, in characters.
const MAX_SHOWN: usize = 200;

/// Facts of a request that tell whether a web page sends it.
#[derive(Debug, Clone, Copy)]
pub struct PageFacts<'a> {
    /// `Origin`; an empty one, which no browser sends, counts as none.
    pub origin: Option<&'a [u8]>,
    /// `Host`; empty without one.
    pub host: &'a [u8],
    /// The method is GET or HEAD.
    pub reads: bool,
    /// `Sec-Fetch-Site: cross-site`, and the page does not become the browser's new page.
    pub embeds: bool,
}

impl BrowserPolicy {
    /// The policy of a configuration for its models.
    pub fn new<'a>(config: &Config, models: impl Iterator<Item = (ModelId, &'a Model)>) -> Self {
        let engines = models.map(|(id, model)| (id, EngineCors::of(&config.command(model))));
        let engines: Vec<_> = engines.collect();
        let origins = config.allowed_origins();
        Self {
            any: origins.is_any(),
            origins,
            keyed: config.clients_show_a_key(),
            wraps: matches!(config.mode, paddock_config::Mode::Wrap { .. }),
            admin_hosts: config.server.admin_hosts.clone(),
            common: common(&engines),
            engines,
        }
    }

    /// Creates a policy that allows pages of these origins, and nothing else.
    pub fn from_origins(origins: AllowedOrigins) -> Self {
        Self {
            any: origins.is_any(),
            origins,
            ..Self::default()
        }
    }

    /// Decides whether a request to the public plane is let in. `over_loopback` is asked only for a name that
    /// public DNS can answer for.
    pub fn check(
        &self,
        facts: &PageFacts<'_>,
        over_loopback: impl FnOnce() -> bool,
    ) -> Result<(), PageRefusal> {
        if self.any {
            return Ok(());
        }
        match facts.origin {
            Some(origin) if !origin.is_empty() => match self.allows(origin, facts.host) {
                true => Ok(()),
                false => Err(PageRefusal::Origin {
                    origin: shown(origin),
                    wraps: self.wraps,
                }),
            },
            _ if !facts.reads => Ok(()),
            _ if facts.embeds => Err(PageRefusal::CrossSite),
            _ => self.check_host(facts.host, over_loopback),
        }
    }

    /// Returns whether pages of an origin may use the public plane that they reach as `host`: those that are
    /// configured, and those that paddock's own address serves, such as the web interface of llama-server.
    fn allows(&self, origin: &[u8], host: &[u8]) -> bool {
        self.origins.allows(origin) || {
            let name = std::str::from_utf8(host).unwrap_or_default();
            is_same_origin(origin, host) && host::is_local(host::name_of(name))
        }
    }

    /// Refuses a name that may have been made to point at this machine.
    ///
    /// Other machines' clients may use any name: one that points at another address of this machine is not
    /// refused.
    fn check_host(
        &self,
        host: &[u8],
        over_loopback: impl FnOnce() -> bool,
    ) -> Result<(), PageRefusal> {
        let name = host::name_of(std::str::from_utf8(host).unwrap_or_default());
        let is_fine = self.keyed || host::is_local(name) || self.origins.names_host(name);
        if is_fine || !over_loopback() {
            return Ok(());
        }
        Err(PageRefusal::Host {
            host: shown(name.as_bytes()),
        })
    }

    /// Decides whether the host of a request to the admin plane is one under which operators reach it.
    pub fn is_admin_host(&self, authority: &str) -> bool {
        let name = host::name_of(authority);
        // No browser leaves it empty.
        name.is_empty() || host::is_address_or_localhost(name) || self.is_listed(name)
    }

    /// Decides whether pages of an origin are the dashboard, as it is reached at `host`.
    pub fn is_admin_origin(&self, origin: &str, host: &str) -> bool {
        let Some(authority) = authority_of(origin.as_bytes()) else {
            return false;
        };
        let authority = std::str::from_utf8(authority).unwrap_or_default();
        self.is_listed(host::name_of(authority))
            || authority.eq_ignore_ascii_case(host) && self.is_admin_host(authority)
    }

    fn is_listed(&self, name: &str) -> bool {
        self.admin_hosts.iter().any(|host| host.is(name))
    }

    /// Returns the CORS flags of a model's child; without a model, those that all children share.
    pub fn engine(&self, model: Option<ModelId>) -> &EngineCors {
        let mut engines = self.engines.iter();
        let found = engines.find(|(id, _)| Some(*id) == model);
        found.map_or(&self.common, |(_, cors)| cors)
    }
}

impl Default for BrowserPolicy {
    /// The policy while no configuration is known: only pages of this machine may ask.
    fn default() -> Self {
        Self {
            origins: AllowedOrigins::local(),
            any: false,
            keyed: false,
            wraps: false,
            admin_hosts: Vec::new(),
            engines: Vec::new(),
            common: EngineCors::default(),
        }
    }
}

/// Returns the flags of all children if they agree, else llama-server's defaults.
fn common(engines: &[(ModelId, EngineCors)]) -> EngineCors {
    match engines.split_first() {
        Some(((_, first), rest)) if rest.iter().all(|(_, cors)| cors == first) => first.clone(),
        _ => EngineCors::default(),
    }
}

/// The authority of a web page's origin. A desktop program's pages are no server's own.
fn authority_of(origin: &[u8]) -> Option<&[u8]> {
    let (scheme, authority) = split_origin(origin)?;
    let is_web = [&b"http"[..], b"https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    Some(authority).filter(|authority| is_web && !authority.is_empty())
}

/// Returns whether a page was served by the host that it asks. A proxy in front may have added TLS, so the
/// scheme does not matter.
fn is_same_origin(origin: &[u8], host: &[u8]) -> bool {
    authority_of(origin).is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests;
