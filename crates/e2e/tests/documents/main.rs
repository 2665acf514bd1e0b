//! What the documents show is what happens: each command runs, each file is accepted, each name is
//! one that paddock has.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod crates;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod links;
#[cfg(test)]
mod names;
#[cfg(test)]
mod page;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod service;
