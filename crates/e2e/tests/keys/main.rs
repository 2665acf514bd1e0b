//! API keys, from the command that makes one to the child that never sees it.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod public;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod scopes;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
