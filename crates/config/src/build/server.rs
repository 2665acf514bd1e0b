//! `[server]`.

use std::path::{Path, PathBuf};

use super::super::api_key::Scope;
use super::super::checks::{addresses, check_overlaps, check_public};
use super::super::hint::close;
use super::super::home::unexpanded;
use super::super::raw::{List, RawKey, RawServer};
use super::super::section::At;
use super::super::{AllowedOrigins, Model, Server, Surroundings};
use super::{ADMIN, Build, DRAIN, value};

/// The longest runtime directory: a socket's path has 107 bytes (unix(7)), and in it are also a
/// directory of 15, the shortest name of an instance with the number of its start, and the socket's own name.
const MOST_RUNTIME_DIR: usize = 107 - "/paddock-XXXXXX".len() - "/ABCDEFGHI-12345/s.sock".len();

const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);
const BODY_LIMIT: u64 = 100 << 20;

/// Where state goes on behalf of a user who has no home, as services of the system have none.
const STATE_OF_A_SERVICE: &str = "/var/lib/paddock";

/// What makes an address safe that is open to every network.
const CLIENTS_KEY: &str = "or have clients show a key: `paddock key new NAME`; ";
const ADMIN_KEY: &str = "or have operators show a key: `paddock key new NAME --allow admin`; ";

/// Names shown at most where a name is not known.
const SHOWN: usize = 10;

impl Build<'_> {
    /// Returns all of the section but the default model, for which the models must be known.
    pub(super) fn server(&self, raw: RawServer, keys: &[(At<String>, RawKey)]) -> Server {
        let listen = addresses("listen", &self.overrides.listen, raw.listen, LISTEN);
        let admin = addresses("admin", &self.overrides.admin, raw.admin, ADMIN);
        if listen.value.is_empty() {
            self.report
                .push(listen.problem("needs at least one address"));
        }
        let public = self.overrides.allow_public || value(raw.allow_public, false);
        let report = |problem| self.report.push(problem);
        if !public && keys.is_empty() {
            check_public(&listen.value, CLIENTS_KEY).for_each(report);
        }
        if !public && !keys.iter().any(|(_, key)| is_for_admin(key)) {
            check_public(&admin.value, ADMIN_KEY).for_each(report);
        }
        for problem in check_overlaps(&listen.value, &admin.value) {
            self.report.push(problem);
        }
        Server {
            listen: values(listen),
            admin: values(admin),
            allow_public: public,
            body_limit: value(raw.body_limit, BODY_LIMIT),
            max_connections: value(raw.max_connections, 0),
            max_connections_per_address: value(raw.max_connections_per_address, 0),
            drain_timeout: value(raw.drain_timeout, DRAIN),
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

    fn runtime_dir(&self, raw: Option<At<PathBuf>>) -> Option<PathBuf> {
        let at = self.optional_path(raw)?;
        if !at.value.is_dir() {
            let path = at.value.display();
            let problem = at.problem(format!("there is no directory {path}"));
            let help = unexpanded(&at.value);
            let help = help.unwrap_or_else(|| format!("make it: mkdir -p -m 700 {path}"));
            self.report.push(problem.help(help));
        }
        let bytes = at.value.as_os_str().len();
        if bytes > MOST_RUNTIME_DIR {
            let message = format!("is too long for a place of sockets: {bytes} bytes");
            let help = format!("choose a shorter one, of at most {MOST_RUNTIME_DIR} bytes");
            self.report.push(at.problem(message).help(help));
        }
        Some(at.value)
    }

    fn state_dir(&self, raw: Option<At<PathBuf>>) -> PathBuf {
        let Some(at) = self.optional_path(raw) else {
            return default_state_dir(self.around);
        };
        if at.value.exists() && !at.value.is_dir() {
            let message = format!("{} is not a directory", at.value.display());
            self.report.push(at.problem(message));
        }
        // It would be made, and nobody would look for it there.
        if let Some(help) = unexpanded(&at.value).filter(|_| !at.value.exists()) {
            let message = format!("there is no directory {}", at.value.display());
            self.report.push(at.problem(message).help(help));
        }
        at.value
    }

    /// Returns the `id` of the default model, after looking for it among names and aliases.
    pub(super) fn default_model(
        &self,
        raw: Option<At<String>>,
        models: &[Model],
    ) -> Option<String> {
        let at = raw.filter(|at| !at.value.is_empty())?;
        if let Some(model) = models.iter().find(|model| model.is_called(&at.value)) {
            return Some(model.id.clone());
        }
        let names: Vec<&str> = models
            .iter()
            .flat_map(|model| [&model.id].into_iter().chain(&model.aliases))
            .map(String::as_str)
            .collect();
        let help = match close(&at.value, &names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("name a model or an alias, such as {}", first(&names)),
        };
        let problem = at.problem(format!("there is no model `{}`", at.value));
        if self.report.models_may_be_lost() {
            // It may be the name of one that is found later.
            return Some(at.value);
        }
        // Without any model that is the problem, not the name.
        if !names.is_empty() {
            self.report.push(problem.help(help));
        }
        None
    }
}

fn values<T>(list: List<T>) -> Vec<T> {
    list.value.into_iter().map(|at| at.value).collect()
}

fn is_for_admin(key: &RawKey) -> bool {
    let mut allowed = key.allow.iter().flat_map(|list| &list.value);
    allowed.any(|scope| scope.value == Scope::Admin.as_str())
}

fn first(names: &[&str]) -> String {
    let some: Vec<_> = names.iter().take(SHOWN).copied().collect();
    some.join(", ")
}

/// Returns where state goes when nothing is written of it.
pub(in super::super) fn default_state_dir(around: &Surroundings) -> PathBuf {
    // A relative XDG_STATE_HOME counts for nothing, as the XDG base directory specification wants.
    let absolute = |path: &&PathBuf| path.is_absolute();
    let state = around.state_home.as_ref().filter(absolute).cloned();
    let home = around.home.as_ref().filter(absolute);
    state
        .or_else(|| home.map(|home| home.join(".local/state")))
        .map_or_else(
            || Path::new(STATE_OF_A_SERVICE).to_owned(),
            |state| state.join("paddock"),
        )
}
