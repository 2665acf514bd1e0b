//! `paddock wrap` in front of a command: a client sees what it saw before.

#[cfg(test)]
mod address;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod command;
#[cfg(test)]
mod direct;
#[cfg(test)]
mod hangup;
#[cfg(test)]
mod launchers;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod same_answers;
#[cfg(test)]
mod same_requests;
