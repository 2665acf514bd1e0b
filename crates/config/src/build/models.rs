//! `[models]`, `[defaults]`, `[discover]`, and the flags that name models.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::super::checks::{check_names, fault_problem, file_name};
use super::super::discover::{Found, Skipped, Walk, unread};
use super::super::engine::Fault;
use super::super::model::Model;
use super::super::problem::Problem;
use super::super::raw::{List, RawModel};
use super::super::section::At;
use super::super::{FileFault, ModelFlag, files};
use super::{Build, value};

type Named = (At<String>, RawModel);

impl Build<'_> {
    /// Returns every model: of the file, of flags, and those discovered.
    pub(super) fn models(
        &self,
        mut raw: Vec<Named>,
        defaults: RawModel,
        dirs: Option<List<PathBuf>>,
    ) -> (Vec<Model>, Vec<Skipped>) {
        self.add_flags(&mut raw);
        let names = raw.iter().flat_map(|(name, model)| {
            let aliases = model.aliases.iter().flat_map(|list| &list.value);
            [name].into_iter().chain(aliases)
        });
        for problem in check_names(names) {
            self.report.push(problem);
        }
        let of_all = defaults.preload.is_some();
        let preload_written = of_all || raw.iter().any(|(_, model)| model.preload.is_some());
        let base = self.fill(defaults, Model::blank());
        let mut models: Vec<_> = raw
            .into_iter()
            .map(|(name, raw)| self.model(&name, raw, base.clone()))
            .collect();
        let configured = models.len();
        let dirs = self.dirs(dirs);
        let (found, mut skipped) = self.walk(&dirs).models();
        models.extend(add_found(&models, found, &mut skipped, &base));
        if let [model] = models.as_mut_slice()
            && configured == 1
            && !preload_written
        {
            model.preload = true;
        }
        if models.is_empty() && !self.report.models_may_be_lost() {
            let problem = no_model(&dirs);
            match dirs.first() {
                // Files may come to lie below it.
                Some(dir) => self.report.push_fault(FileFault {
                    path: dir.value.clone(),
                    problem,
                }),
                None => self.report.push(problem),
            }
        }
        if dirs.is_empty() && models.len() == 1 {
            // A paddock that serves nothing else is a mistake that its writer learns of at once.
            self.report.refuse_faults();
        }
        (models, skipped)
    }

    /// Adds the models of `--model`; one whose name is in the file gets the flag's path.
    fn add_flags(&self, models: &mut Vec<Named>) {
        let of_file = models.len();
        let mut given: HashMap<String, &ModelFlag> = HashMap::new();
        for flag in &self.overrides.models {
            let (name, path) = flag_model(flag);
            if let Some(first) = given.insert(name.value.clone(), flag) {
                let (first, path) = (first.path.display(), flag.path.display());
                let message = format!("both {first} and {path} are called `{}`", name.value);
                let help = "give one of them another name: --model NAME=PATH";
                self.report.push(name.problem(message).help(help));
                continue;
            }
            let mut known = models.iter_mut().take(of_file);
            let known = known.find(|(known, _)| known.value == name.value);
            if let Some((_, model)) = known {
                model.path = Some(path);
                continue;
            }
            let path = Some(path);
            let model = RawModel {
                path,
                ..RawModel::default()
            };
            models.push((name, model));
        }
    }

    fn model(&self, name: &At<String>, mut raw: RawModel, base: Model) -> Model {
        let aliases = raw.aliases.take().map(|list| list.value);
        let path = self.optional_path(raw.path.take());
        if let Some(path) = &path {
            self.check_file(path);
        } else {
            let problem = name.problem("needs `path`, the model's file");
            self.report.push(problem.help("write path = \"FILE.gguf\""));
        }
        Model {
            id: name.value.clone(),
            aliases: aliases
                .into_iter()
                .flatten()
                .map(|alias| alias.value)
                .collect(),
            path: path.map(|at| at.value),
            ..self.fill(raw, base)
        }
    }

    /// Lets what is written win over a model that has everything.
    ///
    /// A list or an empty string that is written wins as a whole.
    fn fill(&self, raw: RawModel, base: Model) -> Model {
        let file = |raw: Option<At<PathBuf>>, base| {
            if raw.is_none() {
                return base;
            }
            let at = self.optional_path(raw)?;
            self.check_file(&at);
            Some(at.value)
        };
        Model {
            mmproj: file(raw.mmproj, base.mmproj),
            draft: file(raw.draft, base.draft),
            context: value(raw.context, base.context),
            parallel: value(raw.parallel, base.parallel),
            gpu_layers: value(raw.gpu_layers, base.gpu_layers),
            args: raw.args.map_or(base.args, |args| self.args(Some(args))),
            env: raw.env.map_or(base.env, |env| self.env(Some(env))),
            keep_alive: value(raw.keep_alive, base.keep_alive),
            pinned: value(raw.pinned, base.pinned),
            preload: value(raw.preload, base.preload),
            memory: value(raw.memory, base.memory),
            max_in_flight: value(raw.max_in_flight, base.max_in_flight),
            startup_timeout: value(raw.startup_timeout, base.startup_timeout),
            first_byte_timeout: value(raw.first_byte_timeout, base.first_byte_timeout),
            stream_idle_timeout: value(raw.stream_idle_timeout, base.stream_idle_timeout),
            loading_heartbeat: value(raw.loading_heartbeat, base.loading_heartbeat),
            id: base.id,
            aliases: base.aliases,
            path: base.path,
        }
    }

    fn check_file(&self, at: &At<PathBuf>) {
        if let Err(fault) = files::check(&at.value) {
            self.push_file_fault(at, fault);
        }
    }

    fn push_file_fault(&self, at: &At<PathBuf>, fault: Fault) {
        self.report.push_fault(FileFault {
            path: at.value.clone(),
            problem: fault_problem(at, fault),
        });
    }

    /// Returns the directories of the file and of flags, resolved.
    fn dirs(&self, dirs: Option<List<PathBuf>>) -> Vec<At<PathBuf>> {
        let flag = At {
            value: (),
            key: "--models-dir".to_owned(),
            place: None,
        };
        let flags = self.overrides.models_dirs.iter();
        let flags = flags.map(|dir| flag.with(dir.clone()));
        let dirs = dirs.into_iter().flat_map(|list| list.value);
        dirs.chain(flags)
            .filter_map(|dir| {
                let at = dir.with(());
                let dir = self.optional_path(Some(dir));
                if dir.is_none() {
                    let problem = at.problem("is empty");
                    self.report.push(problem.help("name a directory"));
                }
                dir
            })
            .collect()
    }

    fn walk(&self, dirs: &[At<PathBuf>]) -> Walk {
        let mut walk = Walk::default();
        for dir in dirs {
            if let Err(fault) = fs::read_dir(&dir.value).map_err(|error| unread(&dir.value, &error))
            {
                // Names of models below it may be used elsewhere in the file.
                self.report.lose_models();
                self.push_file_fault(dir, fault);
                continue;
            }
            self.report_fault(dir, walk.below(&dir.value));
        }
        walk
    }
}

/// Makes models of those found; a configured model wins over one of its name or its file.
fn add_found(
    configured: &[Model],
    found: Vec<Found>,
    skipped: &mut Vec<Skipped>,
    base: &Model,
) -> Vec<Model> {
    let files = configured.iter().filter_map(|model| model.path.as_deref());
    let files: HashSet<_> = files.map(entry).collect();
    let projectors = configured
        .iter()
        .filter_map(|model| model.mmproj.as_deref());
    let projectors: HashSet<_> = projectors.map(entry).collect();
    skipped.retain(|skipped| !projectors.contains(&entry(&skipped.path)));
    let mut models = Vec::new();
    for Found { name, path, mmproj } in found {
        if files.contains(&entry(&path)) {
            continue;
        }
        if configured.iter().any(|model| model.is_called(&name)) {
            let reason = format!("would be called `{name}`, which is configured");
            skipped.push(Skipped::new(path, reason));
            continue;
        }
        let base = base.clone();
        models.push(Model {
            id: name,
            path: Some(path),
            mmproj: mmproj.or(base.mmproj),
            ..base
        });
    }
    models
}

/// Returns a path that is the same for all paths to one entry of one directory.
fn entry(path: &Path) -> PathBuf {
    let directory = path
        .parent()
        .and_then(|parent| fs::canonicalize(parent).ok());
    match (directory, path.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

fn no_model(dirs: &[At<PathBuf>]) -> Problem {
    let problem = Problem::new("no model is configured");
    if dirs.is_empty() {
        return problem.help(
            "add [models.NAME] with `path = \"FILE.gguf\"`, or give --model FILE.gguf \
             or --models-dir DIR",
        );
    }
    let shown = dirs.iter().map(|dir| dir.value.display().to_string());
    let shown: Vec<_> = shown.collect();
    problem.help(format!(
        "there is no model file (*.gguf) below {}",
        shown.join(", ")
    ))
}

/// Reads `--model` as the name and the path of a model.
fn flag_model(flag: &ModelFlag) -> (At<String>, At<PathBuf>) {
    let at = At {
        value: (),
        key: "--model".to_owned(),
        place: None,
    };
    let name = flag.name.clone().unwrap_or_else(|| file_name(&flag.path));
    (at.with(name), at.with(flag.path.clone()))
}
