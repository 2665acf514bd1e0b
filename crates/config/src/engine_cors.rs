//! Predicts the CORS header fields that a child (a `llama-server` process) sends, from its flags and environment
//! variables.
//!
//! Rules, names and defaults as in llama.cpp b11434: common/arg.cpp, common/common.h,
//! tools/server/server-http.cpp.

use std::borrow::Cow;

use super::child_command::Command;
use super::origins::{AllowedOrigin, AllowedOrigins, split};
use super::owned_flags::normalize_flag;

/// Value of `--cors-origins` for pages whose host is `localhost`, `127.0.0.1` or `::1`.
const LOCALHOST_KEYWORD: &str = "localhost";

/// Flags with which llama-server defaults `--cors-origins` to [`LOCALHOST_KEYWORD`].
const TOOL_FLAGS: [&str; 5] = [
    "--tools",
    "--mcp-servers-config",
    "--mcp-servers-json",
    "-ag",
    "--agent",
];
/// Environment variables with the same effect as [`TOOL_FLAGS`].
const TOOL_VARIABLES: [&str; 4] = [
    "LLAMA_ARG_TOOLS",
    "LLAMA_ARG_MCP_SERVERS_CONFIG",
    "LLAMA_ARG_MCP_SERVERS_JSON",
    "LLAMA_ARG_AGENT",
];

/// The response of a child to a browser's preflight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineCors {
    /// Value of `--cors-origins`.
    origins: String,
    /// `--cors-origins` is given.
    explicit: bool,
    /// Allowed methods.
    pub methods: String,
    /// Allowed header fields; `*` for every field.
    pub headers: String,
    /// Credentials are allowed.
    pub credentials: bool,
}

impl Default for EngineCors {
    fn default() -> Self {
        Self {
            origins: "*".to_owned(),
            explicit: false,
            methods: "GET, POST, DELETE, OPTIONS".to_owned(),
            headers: "*".to_owned(),
            credentials: true,
        }
    }
}

impl EngineCors {
    /// Reads the CORS flags of a child's command. Arguments override variables, and the last one counts.
    pub fn from_command(command: &Command) -> Self {
        let mut cors = Self::default();
        let set = |name: &str| command.env.get(name).filter(|value| !value.is_empty());
        for (name, flag) in [
            ("LLAMA_ARG_CORS_ORIGINS", "--cors-origins"),
            ("LLAMA_ARG_CORS_METHODS", "--cors-methods"),
            ("LLAMA_ARG_CORS_HEADERS", "--cors-headers"),
        ] {
            if let Some(value) = command.env.get(name) {
                cors.set_flag(flag, value);
            }
        }
        if let Some(value) = set("LLAMA_ARG_CORS_CREDENTIALS") {
            cors.credentials = !is_falsey(value);
        }
        if command.env.contains_key("LLAMA_ARG_NO_CORS_CREDENTIALS") {
            cors.credentials = false;
        }
        let mut uses_tools = TOOL_VARIABLES
            .into_iter()
            .filter_map(set)
            .any(|value| !is_falsey(value));
        let args = command.args.iter().map(|arg| arg.to_string_lossy());
        let args: Vec<Cow<'_, str>> = args.collect();
        for (index, arg) in args.iter().enumerate() {
            let flag = normalize_flag(arg);
            let value = args.get(index + 1).map_or("", AsRef::as_ref);
            match flag.as_str() {
                "--cors-credentials" => cors.credentials = true,
                "--no-cors-credentials" => cors.credentials = false,
                flag => cors.set_flag(flag, value),
            }
            uses_tools |= TOOL_FLAGS.contains(&flag.as_str());
        }
        if uses_tools && !cors.explicit {
            LOCALHOST_KEYWORD.clone_into(&mut cors.origins);
        }
        cors
    }

    fn set_flag(&mut self, flag: &str, value: &str) {
        let field = match flag {
            "--cors-origins" => {
                self.explicit = true;
                &mut self.origins
            }
            "--cors-methods" => &mut self.methods,
            "--cors-headers" => &mut self.headers,
            _ => return,
        };
        value.clone_into(field);
    }

    /// Returns the value of `Access-Control-Allow-Origin` for a request of this origin, if the child sends one.
    pub fn allow_origin<'a>(&'a self, origin: &'a [u8]) -> Option<&'a [u8]> {
        match self.origins.as_str() {
            "*" if self.credentials => Some(origin),
            LOCALHOST_KEYWORD => is_localhost(origin).then_some(origin),
            "" => None,
            origins => Some(origins.as_bytes()),
        }
    }

    /// Returns the pages that `--cors-origins` names, if it is given.
    pub(super) fn explicit_origins(&self) -> Option<AllowedOrigins> {
        if !self.explicit {
            return None;
        }
        let entries: Vec<AllowedOrigin> = match self.origins.as_str() {
            LOCALHOST_KEYWORD => ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"]
                .into_iter()
                .flat_map(|http| [http.to_owned(), http.replacen("http", "https", 1)])
                .filter_map(|origin| origin.parse().ok())
                .collect(),
            // Browsers never send text that is not an origin.
            list => list
                .split(',')
                .filter_map(|entry| entry.trim().parse().ok())
                .collect(),
        };
        Some(AllowedOrigins::new(entries))
    }
}

/// Returns whether the value of a variable switches its flag off (common/arg.cpp, `is_falsey`).
fn is_falsey(value: &str) -> bool {
    ["off", "disabled", "false", "0"].contains(&value)
}

/// Returns whether llama-server regards an origin as local (`origin_is_localhost`).
fn is_localhost(origin: &[u8]) -> bool {
    let Some((b"http" | b"https", authority)) = split(origin) else {
        return false;
    };
    let authority = String::from_utf8_lossy(authority);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    matches!(host, Some("localhost" | "127.0.0.1" | "::1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn of(args: &str, env: &[(&str, &str)]) -> EngineCors {
        EngineCors::from_command(&Command {
            program: "llama-server".into(),
            args: args.split_whitespace().map(OsString::from).collect(),
            env: env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        })
    }

    fn allowed(cors: &EngineCors, origin: &str) -> Option<String> {
        let value = cors.allow_origin(origin.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    #[test]
    fn flags_and_variables_are_read_as_the_engine_reads_them() {
        let none = of("--threads 4", &[]);
        assert_eq!(none, EngineCors::default());
        assert_eq!(allowed(&none, "http://a").as_deref(), Some("http://a"));
        let plain = of("--no-cors-credentials", &[]);
        assert_eq!(allowed(&plain, "http://a").as_deref(), Some("*"));
        let given = of(
            "--cors_methods GET --cors-headers x-a --cors-origins https://a --cors-origins https://b",
            &[
                ("LLAMA_ARG_CORS_HEADERS", "x-b"),
                ("LLAMA_ARG_CORS_CREDENTIALS", "false"),
            ],
        );
        assert_eq!(
            (given.methods.as_str(), given.headers.as_str()),
            ("GET", "x-a")
        );
        assert_eq!(allowed(&given, "http://c").as_deref(), Some("https://b"));
        assert!(!given.credentials);
    }

    #[test]
    fn tools_restrict_pages_to_this_machine_unless_somebody_says_otherwise() {
        for cors in [
            of("--tools all", &[]),
            of("--agent", &[]),
            of("", &[("LLAMA_ARG_TOOLS", "all")]),
            of("--cors-origins localhost", &[]),
        ] {
            for here in [
                "http://localhost:3000",
                "https://127.0.0.1",
                "http://[::1]:1",
            ] {
                assert_eq!(allowed(&cors, here).as_deref(), Some(here));
            }
            for other in [
                "https://a",
                "app://localhost",
                "http://localhost.evil.test",
                "null",
            ] {
                assert_eq!(allowed(&cors, other), None, "{other}");
            }
        }
        let said = of("--tools all --cors-origins *", &[]);
        assert_eq!(allowed(&said, "https://a").as_deref(), Some("https://a"));
        assert_eq!(of("", &[("LLAMA_ARG_AGENT", "0")]), EngineCors::default());
    }

    #[test]
    fn what_is_given_says_which_pages_are_meant() {
        let pages = |args: &str| of(args, &[]).explicit_origins();
        assert_eq!(pages("--agent"), None);
        assert!(pages("--cors-origins *").unwrap().is_any());
        let local = pages("--cors-origins localhost").unwrap();
        assert!(local.allows(b"https://[::1]:8443") && !local.allows(b"app://x"));
        let listed = pages("--cors-origins https://a.example,https://b.example/").unwrap();
        assert!(listed.allows(b"https://a.example") && !listed.allows(b"https://b.example"));
    }
}
