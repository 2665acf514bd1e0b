//! The server-sent events of `GET /api/events`, which report changes to clients such as the dashboard.

use crate::{ActiveRequests, EndedRequest, MemoryUsage, Model, Status};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// An event of `GET /api/events`; serializes as its data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// The first event: the whole status, without connections.
    Snapshot(Box<Status>),
    /// A model that is new or has changed.
    Model(Box<Model>),
    /// A model that is no longer configured.
    Removed(RemovedModel),
    /// The memory in use has changed.
    Memory(MemoryUsage),
    /// A request that has ended.
    Request(Box<EndedRequest>),
    /// The list of active requests has changed.
    InFlight(ActiveRequests),
    /// This client has missed ended requests, because it read too slowly.
    Missed(MissedRequests),
}

/// The data of the event `removed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedModel {
    /// Name of the model.
    pub id: String,
}

/// The data of the event `missed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissedRequests {
    /// Number of ended requests that this client missed.
    pub count: u64,
}

impl Event {
    /// Returns the name that precedes the event's data.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Model(_) => "model",
            Self::Removed(_) => "removed",
            Self::Memory(_) => "memory",
            Self::Request(_) => "request",
            Self::InFlight(_) => "in_flight",
            Self::Missed(_) => "missed",
        }
    }

    /// Reads the data of the event with this name. Returns `None` for an unknown name.
    ///
    /// # Errors
    /// The data is not that of such an event.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        data: D,
    ) -> Result<Option<Self>, D::Error> {
        Ok(Some(match name {
            "snapshot" => Self::Snapshot(Box::deserialize(data)?),
            "model" => Self::Model(Box::deserialize(data)?),
            "removed" => Self::Removed(RemovedModel::deserialize(data)?),
            "memory" => Self::Memory(MemoryUsage::deserialize(data)?),
            "request" => Self::Request(Box::deserialize(data)?),
            "in_flight" => Self::InFlight(ActiveRequests::deserialize(data)?),
            "missed" => Self::Missed(MissedRequests::deserialize(data)?),
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_read_under_the_name_it_is_written_with() {
        for event in [
            Event::Snapshot(Box::default()),
            Event::Model(Box::default()),
            Event::Removed(RemovedModel { id: "m".to_owned() }),
            Event::Memory(MemoryUsage::default()),
            Event::Request(Box::default()),
            Event::InFlight(ActiveRequests::default()),
            Event::Missed(MissedRequests { count: 7 }),
        ] {
            let data = serde_json::to_value(&event).unwrap();
            assert_eq!(Event::deserialize(event.name(), data).unwrap(), Some(event));
        }
        let unknown = Event::deserialize("later", serde_json::Value::Null);
        assert_eq!(unknown.unwrap(), None);
    }
}
