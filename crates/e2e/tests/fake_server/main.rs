//! The stand-in llama-server does what its documentation says.

#[cfg(test)]
mod aids;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod deaths;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod hangs;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod load;
#[cfg(test)]
mod router_events;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod slots;
#[cfg(test)]
mod support;
#[cfg(test)]
mod text;
