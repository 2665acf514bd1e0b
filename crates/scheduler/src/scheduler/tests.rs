//! Scripted histories and a simulation, without clock or process, with real gates.

use super::*;
use crate::{Admission, Demand, Generation, ModelStatus, Refusal};

mod abandoned;
mod fairness;
mod harness;
mod load;
mod memory_line;
mod pins;
mod simulation;
mod trial;
mod unload;

use harness::{Harness, mib, secs};
