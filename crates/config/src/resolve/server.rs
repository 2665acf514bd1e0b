//! Resolves `[server]`: addresses, limits and directories.

use std::path::{Path, PathBuf};

use super::super::api_key::Scope;
use super::super::cross_checks::{check_overlaps, check_public, effective_addresses};
use super::super::home_dir::unexpanded_help;
use super::super::key_reader::Sourced;
use super::super::raw::{List, RawApiKey, RawServer};
use super::super::suggestions::closest_name;
use super::super::{AllowedOrigins, Model, ProcessEnv, Server};
use super::{DEFAULT_ADMIN, DEFAULT_DRAIN_TIMEOUT, Resolver, value_or};

/// Maximum length of the runtime directory. A socket's path has at most 107 bytes (unix(7)), and the directory is
/// followed by a subdirectory of 15 bytes, the shortest instance name with its start number, and the socket's name.
const MAX_RUNTIME_DIR_BYTES: usize =
    107 - "/paddock-XXXXXX".len() - "/ABCDEFGHI-12345/s.sock".len();

const DEFAULT_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);
/// Maximum size of a request body, in bytes.
const DEFAULT_BODY_LIMIT: u64 = 100 << 20;

/// State directory for users without a home directory, such as those of system services.
const SERVICE_STATE_DIR: &str = "/var/lib/paddock";

// Advice about API keys for addresses that are open to every network; see `check_public`.
const PUBLIC_KEY_HELP: &str = "or require a key from clients: `paddock key new NAME`; ";
const ADMIN_KEY_HELP: &str =
    "or require a key from operators: `paddock key new NAME --allow admin`; ";

/// Maximum number of names listed for an unknown name.
const MAX_LISTED_NAMES: usize = 10;

impl Resolver<'_> {
    /// Returns the section without the default model, which is resolved once the models are known.
    pub(super) fn server(&self, raw: RawServer, keys: &[(Sourced<String>, RawApiKey)]) -> Server {
        let listen =
            effective_addresses("listen", &self.overrides.listen, raw.listen, DEFAULT_LISTEN);
        let admin = effective_addresses("admin", &self.overrides.admin, raw.admin, DEFAULT_ADMIN);
        if listen.value.is_empty() {
            self.report
                .push(listen.problem("needs at least one address"));
        }
        let public = self.overrides.allow_public || value_or(raw.allow_public, false);
        let report = |problem| self.report.push(problem);
        if !public && keys.is_empty() {
            check_public(&listen.value, PUBLIC_KEY_HELP).for_each(report);
        }
        if !public && !keys.iter().any(|(_, key)| is_for_admin(key)) {
            check_public(&admin.value, ADMIN_KEY_HELP).for_each(report);
        }
        for problem in check_overlaps(&listen.value, &admin.value) {
            self.report.push(problem);
        }
        Server {
            listen: values(listen),
            admin: values(admin),
            allow_public: public,
            body_limit: value_or(raw.body_limit, DEFAULT_BODY_LIMIT),
            max_connections: value_or(raw.max_connections, 0),
            max_connections_per_address: value_or(raw.max_connections_per_address, 0),
            drain_timeout: value_or(raw.drain_timeout, DEFAULT_DRAIN_TIMEOUT),
            runtime_dir: self.runtime_dir(raw.runtime_dir),
            state_dir: self.state_dir(raw.state_dir),
            default_model: None,
            allowed_origins: raw
                .allowed_origins
                .map(|list| AllowedOrigins::new(values(list))),
            admin_may_move: false,
            admin_hosts: raw.admin_hosts.map(values).unwrap_or_default(),
        }
    }

    fn runtime_dir(&self, raw: Option<Sourced<PathBuf>>) -> Option<PathBuf> {
        let at = self.optional_path(raw)?;
        if !at.value.is_dir() {
            let path = at.value.display();
            let problem = at.problem(format!("there is no directory {path}"));
            let help = unexpanded_help(&at.value);
            let help = help.unwrap_or_else(|| format!("create it: mkdir -p -m 700 {path}"));
            self.report.push(problem.help(help));
        }
        let bytes = at.value.as_os_str().len();
        if bytes > MAX_RUNTIME_DIR_BYTES {
            let message = format!("is too long for a directory of sockets: {bytes} bytes");
            let help = format!("choose a path of at most {MAX_RUNTIME_DIR_BYTES} bytes");
            self.report.push(at.problem(message).help(help));
        }
        Some(at.value)
    }

    fn state_dir(&self, raw: Option<Sourced<PathBuf>>) -> PathBuf {
        let Some(at) = self.optional_path(raw) else {
            return default_state_dir(self.process_env);
        };
        self.check_creatable_dir(&at);
        at.value
    }

    /// Reports a problem if `at` is neither a directory nor a path at which paddock can create one.
    pub(super) fn check_creatable_dir(&self, at: &Sourced<PathBuf>) {
        if at.value.exists() && !at.value.is_dir() {
            let message = format!("{} is not a directory", at.value.display());
            self.report.push(at.problem(message));
        }
        // paddock would create the directory under its literal name, where nobody expects it.
        if let Some(help) = unexpanded_help(&at.value).filter(|_| !at.value.exists()) {
            let message = format!("there is no directory {}", at.value.display());
            self.report.push(at.problem(message).help(help));
        }
    }

    /// Returns the `id` of the default model, given by name or alias.
    pub(super) fn default_model(
        &self,
        raw: Option<Sourced<String>>,
        models: &[Model],
    ) -> Option<String> {
        let at = raw.filter(|at| !at.value.is_empty())?;
        if let Some(model) = models.iter().find(|model| model.has_name(&at.value)) {
            return Some(model.id.clone());
        }
        let names: Vec<&str> = models
            .iter()
            .flat_map(|model| [&model.id].into_iter().chain(&model.aliases))
            .map(String::as_str)
            .collect();
        let help = match closest_name(&at.value, &names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!(
                "use the name or an alias of a model, such as {}",
                join_first(&names)
            ),
        };
        let problem = at.problem(format!("there is no model `{}`", at.value));
        if self.report.models_may_be_lost() {
            // A model of this name may be found later.
            return Some(at.value);
        }
        // If there is no model at all, that is reported instead.
        if !names.is_empty() {
            self.report.push(problem.help(help));
        }
        None
    }
}

fn values<T>(list: List<T>) -> Vec<T> {
    list.value.into_iter().map(|at| at.value).collect()
}

fn is_for_admin(key: &RawApiKey) -> bool {
    let mut allowed = key.allow.iter().flat_map(|list| &list.value);
    allowed.any(|scope| scope.value == Scope::Admin.as_str())
}

fn join_first(names: &[&str]) -> String {
    let some: Vec<_> = names.iter().take(MAX_LISTED_NAMES).copied().collect();
    some.join(", ")
}

/// Returns the default state directory.
pub(in super::super) fn default_state_dir(process_env: &ProcessEnv) -> PathBuf {
    // The XDG base directory specification says to ignore a relative XDG_STATE_HOME.
    let absolute = |path: &&PathBuf| path.is_absolute();
    let state = process_env.state_home.as_ref().filter(absolute).cloned();
    let home = process_env.home.as_ref().filter(absolute);
    state
        .or_else(|| home.map(|home| home.join(".local/state")))
        .map_or_else(
            || Path::new(SERVICE_STATE_DIR).to_owned(),
            |state| state.join("paddock"),
        )
}
