//! `paddock engine` and `paddock version --check` against a local server like GitHub's API for releases, and
//! `paddock doctor`.

#[cfg(test)]
mod build;
#[cfg(test)]
mod choice;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod install;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod support;
#[cfg(test)]
mod version;
