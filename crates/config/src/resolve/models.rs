//! Resolves `[models]`, `[defaults]`, `[discover]`, and the flags that name models.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use paddock_models::{ModelSource, expected_path, find};

use super::super::cross_checks::{check_names, fault_problem, file_name};
use super::super::discover::{DiscoveredModel, SkippedFile, Walk, unreadable_dir};
use super::super::engine_search::PathFault;
use super::super::key_reader::Sourced;
use super::super::model::Model;
use super::super::problem::Problem;
use super::super::raw::{List, RawModel};
use super::super::{FileFault, ModelFlag, model_files};
use super::{Resolver, value_or};

/// A model's name, and its section as written.
type NamedModel = (Sourced<String>, RawModel);

/// The files of a model that is configured by its source.
struct SourceFiles {
    path: PathBuf,
    projector: Option<PathBuf>,
}

impl Resolver<'_> {
    /// Returns every model (from the file, from flags, and discovered in `dirs`), and the files that were skipped.
    pub(super) fn models(
        &self,
        mut raw: Vec<NamedModel>,
        defaults: RawModel,
        dirs: Option<List<PathBuf>>,
    ) -> (Vec<Model>, Vec<SkippedFile>) {
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
        // A single configured model is loaded when paddock starts, unless `preload` is written.
        if let [model] = models.as_mut_slice()
            && configured == 1
            && !preload_written
        {
            model.preload = true;
        }
        if models.is_empty() && !self.report.models_may_be_lost() {
            let problem = no_model_problem(&dirs);
            match dirs.first() {
                // Files may be added to the directory later.
                Some(dir) => self.report.push_fault(FileFault {
                    path: dir.value.clone(),
                    problem,
                }),
                None => self.report.push(problem),
            }
        }
        if dirs.is_empty() && models.len() == 1 {
            // With a single unusable model there is nothing to serve, so the fault is an error.
            self.report.promote_faults();
        }
        (models, skipped)
    }

    /// Adds the models of `--model`; a model of the file with the same name gets the flag's path.
    fn add_flags(&self, models: &mut Vec<NamedModel>) {
        let of_file = models.len();
        let mut given: HashMap<String, &ModelFlag> = HashMap::new();
        for flag in &self.overrides.models {
            let (name, path) = flag_model(flag);
            if let Some(first) = given.insert(name.value.clone(), flag) {
                let (first, path) = (first.path.display(), flag.path.display());
                let message = format!("{first} and {path} would both be named `{}`", name.value);
                let help = "give one of them another name: --model NAME=PATH";
                self.report.push(name.problem(message).help(help));
                continue;
            }
            let mut known = models.iter_mut().take(of_file);
            let known = known.find(|(known, _)| known.value == name.value);
            if let Some((_, model)) = known {
                model.path = Some(path);
                model.source = None;
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

    fn model(&self, name: &Sourced<String>, mut raw: RawModel, base: Model) -> Model {
        let aliases = raw.aliases.take().map(|list| list.value);
        let path = self.optional_path(raw.path.take());
        let source = raw.source.take();
        let mut base = base;
        let path = match (path, &source) {
            (Some(path), None) => {
                self.check_file(&path);
                Some(path.value)
            }
            (None, Some(at)) => self.find_source(name, at).map(|found| {
                base.mmproj = found.projector.or(base.mmproj.take());
                found.path
            }),
            (Some(path), Some(at)) => {
                let message = format!(
                    "a model has either `source` or {}, not both",
                    path.location()
                );
                self.report
                    .push(at.problem(message).help("remove one of them"));
                None
            }
            // The reason why it is invalid is reported already.
            (None, None) if raw.source_written => None,
            (None, None) => {
                let problem =
                    name.problem("needs `path`, the model's file, or `source`, where to get it");
                let help = "write path = \"FILE.gguf\" or source = \"hf:USER/REPO:QUANT\"";
                self.report.push(problem.help(help));
                None
            }
        };
        Model {
            id: name.value.clone(),
            aliases: aliases
                .into_iter()
                .flatten()
                .map(|alias| alias.value)
                .collect(),
            path,
            source: source.map(|at| at.value),
            ..self.fill(raw, base)
        }
    }

    /// Overrides `base` with the keys that are written. Lists and empty strings replace the base's value as a whole.
    fn fill(&self, raw: RawModel, base: Model) -> Model {
        let file = |raw: Option<Sourced<PathBuf>>, base| {
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
            context: value_or(raw.context, base.context),
            parallel: value_or(raw.parallel, base.parallel),
            gpu_layers: value_or(raw.gpu_layers, base.gpu_layers),
            args: raw.args.map_or(base.args, |args| self.args(Some(args))),
            env: raw.env.map_or(base.env, |env| self.env(Some(env))),
            keep_alive: value_or(raw.keep_alive, base.keep_alive),
            pinned: value_or(raw.pinned, base.pinned),
            preload: value_or(raw.preload, base.preload),
            memory: value_or(raw.memory, base.memory),
            max_in_flight: value_or(raw.max_in_flight, base.max_in_flight),
            startup_timeout: value_or(raw.startup_timeout, base.startup_timeout),
            first_byte_timeout: value_or(raw.first_byte_timeout, base.first_byte_timeout),
            stream_idle_timeout: value_or(raw.stream_idle_timeout, base.stream_idle_timeout),
            loading_heartbeat: value_or(raw.loading_heartbeat, base.loading_heartbeat),
            context_cache: value_or(raw.context_cache, base.context_cache),
            id: base.id,
            aliases: base.aliases,
            path: base.path,
            source: base.source,
        }
    }

    /// Finds the files of a source; reports them as missing if they are not on disk.
    fn find_source(
        &self,
        name: &Sourced<String>,
        at: &Sourced<ModelSource>,
    ) -> Option<SourceFiles> {
        let Some(dirs) = &self.process_env.store else {
            let problem = at.problem("no directory for models is known: HOME is not set");
            self.report.push(problem.help("set HOME or HF_HOME"));
            return None;
        };
        let found = find(&at.value, dirs);
        let path = match &found {
            Ok(found) => found.path().to_owned(),
            Err(_) => expected_path(&at.value, dirs),
        };
        let fault = match &found {
            Ok(_) => model_files::check(&path).err(),
            Err(error) => {
                let help = format!("`paddock pull {}` downloads it", name.value);
                Some(PathFault::new(error.to_string(), help))
            }
        };
        if let Some(fault) = fault {
            self.push_file_fault(&at.with_value(path.clone()), fault);
        }
        let projector = found.ok().and_then(|found| found.projector);
        Some(SourceFiles { path, projector })
    }

    fn check_file(&self, at: &Sourced<PathBuf>) {
        if let Err(fault) = model_files::check(&at.value) {
            self.push_file_fault(at, fault);
        }
    }

    fn push_file_fault(&self, at: &Sourced<PathBuf>, fault: PathFault) {
        self.report.push_fault(FileFault {
            path: at.value.clone(),
            problem: fault_problem(at, fault),
        });
    }

    /// Returns the resolved directories of the file and of flags.
    fn dirs(&self, dirs: Option<List<PathBuf>>) -> Vec<Sourced<PathBuf>> {
        let flag = Sourced {
            value: (),
            key: "--models-dir".to_owned(),
            span: None,
        };
        let flags = self.overrides.models_dirs.iter();
        let flags = flags.map(|dir| flag.with_value(dir.clone()));
        let dirs = dirs.into_iter().flat_map(|list| list.value);
        dirs.chain(flags)
            .filter_map(|dir| {
                let at = dir.with_value(());
                let dir = self.optional_path(Some(dir));
                if dir.is_none() {
                    let problem = at.problem("must not be empty");
                    self.report.push(problem.help("give a directory"));
                }
                dir
            })
            .collect()
    }

    fn walk(&self, dirs: &[Sourced<PathBuf>]) -> Walk {
        let mut walk = Walk::default();
        for dir in dirs {
            if let Err(fault) =
                fs::read_dir(&dir.value).map_err(|error| unreadable_dir(&dir.value, &error))
            {
                // Other keys of the file may use the names of models below the directory.
                self.report.mark_models_lost();
                self.push_file_fault(dir, fault);
                continue;
            }
            self.report_fault(dir, walk.below(&dir.value));
        }
        walk
    }
}

/// Returns the discovered models, except those whose name or file a configured model has.
fn add_found(
    configured: &[Model],
    found: Vec<DiscoveredModel>,
    skipped: &mut Vec<SkippedFile>,
    base: &Model,
) -> Vec<Model> {
    let files = configured.iter().filter_map(|model| model.path.as_deref());
    let files: HashSet<_> = files.map(canonical_entry).collect();
    let projectors = configured
        .iter()
        .filter_map(|model| model.mmproj.as_deref());
    let projectors: HashSet<_> = projectors.map(canonical_entry).collect();
    skipped.retain(|skipped| !projectors.contains(&canonical_entry(&skipped.path)));
    let mut models = Vec::new();
    for DiscoveredModel { name, path, mmproj } in found {
        if files.contains(&canonical_entry(&path)) {
            continue;
        }
        if configured.iter().any(|model| model.has_name(&name)) {
            let reason = format!("would be named `{name}`, which is already configured");
            skipped.push(SkippedFile::new(path, reason));
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

/// Canonicalizes the directory of a path, so that all paths to one directory entry are equal.
fn canonical_entry(path: &Path) -> PathBuf {
    let directory = path
        .parent()
        .and_then(|parent| fs::canonicalize(parent).ok());
    match (directory, path.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

fn no_model_problem(dirs: &[Sourced<PathBuf>]) -> Problem {
    let problem = Problem::new("no model is configured");
    if dirs.is_empty() {
        return problem.help(
            "add [models.NAME] with `path = \"FILE.gguf\"` or `source = \"hf:USER/REPO\"`, or pass --model FILE.gguf or --models-dir DIR",
        );
    }
    let shown = dirs.iter().map(|dir| dir.value.display().to_string());
    let shown: Vec<_> = shown.collect();
    problem.help(format!(
        "no model file (*.gguf) found below {}",
        shown.join(", ")
    ))
}

/// Reads `--model` as the name and the path of a model.
fn flag_model(flag: &ModelFlag) -> (Sourced<String>, Sourced<PathBuf>) {
    let at = Sourced {
        value: (),
        key: "--model".to_owned(),
        span: None,
    };
    let name = flag.name.clone().unwrap_or_else(|| file_name(&flag.path));
    (at.with_value(name), at.with_value(flag.path.clone()))
}
