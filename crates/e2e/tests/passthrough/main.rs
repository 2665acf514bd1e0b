//! What passes through paddock: over real sockets, with a stand-in engine, seen from both sides.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod disconnect;
#[cfg(test)]
mod events;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod many;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod slow_reader;
#[cfg(test)]
mod support;
