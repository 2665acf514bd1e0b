//! The client's methods for the routes of the admin API, such as `GET /api/status`, and the event stream of
//! `GET /api/events`.

use std::fmt::Write;

use hyper::Method;
use paddock_api::{
    EndedRequests, Event, LoadResult, LogLines, ModelExplanation, PinResult, RequestExplanation,
    Status,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{AdminAnswer, AdminClient, CommandError, SseParser, TypedAnswer};

/// Characters to percent-encode in a path segment.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// An action on a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelAction {
    Load,
    Unload,
    Pin,
    Unpin,
}

/// The events of `GET /api/events`.
#[derive(Debug)]
pub(crate) struct EventStream {
    answer: AdminAnswer,
    parser: SseParser,
}

impl ModelAction {
    /// Returns the last segment of the path `/api/models/{id}/…`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Unload => "unload",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
        }
    }
}

impl AdminClient {
    /// Returns the status of models and memory.
    ///
    /// # Errors
    /// No paddock answers, or it refuses the request. The other routes fail for the same reasons.
    pub(crate) async fn status(&self) -> Result<TypedAnswer<Status>, CommandError> {
        let answer = self.request(Method::GET, "/api/status").await?;
        Ok(answer.into())
    }

    /// Returns the last decisions about a model.
    pub(crate) async fn explain_model(
        &self,
        model: &str,
    ) -> Result<TypedAnswer<ModelExplanation>, CommandError> {
        let path = model_path(model, "explain");
        Ok(self.request(Method::GET, &path).await?.into())
    }

    /// Returns the history of a request.
    pub(crate) async fn explain_request(
        &self,
        id: &str,
    ) -> Result<TypedAnswer<RequestExplanation>, CommandError> {
        let path = api_path("requests", id, "explain");
        Ok(self.request(Method::GET, &path).await?.into())
    }

    /// Begins an action on a model, and does not wait for its end.
    pub(crate) async fn begin(&self, action: ModelAction, model: &str) -> Result<(), CommandError> {
        let path = model_path(model, action.as_str());
        self.request(Method::POST, &path).await.map(drop)
    }

    /// Loads or unloads a model, and returns its status without waiting for the end.
    pub(crate) async fn begin_load(
        &self,
        action: ModelAction,
        model: &str,
    ) -> Result<TypedAnswer<LoadResult>, CommandError> {
        let path = model_path(model, action.as_str());
        Ok(self.request(Method::POST, &path).await?.into())
    }

    /// Loads or unloads a model, and returns its status at the end.
    pub(crate) async fn finish_load(
        &self,
        action: ModelAction,
        model: &str,
    ) -> Result<TypedAnswer<LoadResult>, CommandError> {
        let path = model_path(model, action.as_str()) + "?wait=true";
        Ok(self.request_and_wait(Method::POST, &path).await?.into())
    }

    /// Makes paddock read its configuration again.
    pub(crate) async fn reload(&self) -> Result<(), CommandError> {
        self.request_and_wait(Method::POST, "/api/reload")
            .await
            .map(drop)
    }

    /// Pins or unpins a model.
    pub(crate) async fn pin(
        &self,
        action: ModelAction,
        model: &str,
    ) -> Result<TypedAnswer<PinResult>, CommandError> {
        let path = model_path(model, action.as_str());
        Ok(self.request(Method::POST, &path).await?.into())
    }

    /// Returns the last lines of a model's children.
    pub(crate) async fn logs(
        &self,
        model: &str,
        lines: u32,
    ) -> Result<TypedAnswer<LogLines>, CommandError> {
        let path = model_path(model, &format!("logs?n={lines}"));
        Ok(self.request(Method::GET, &path).await?.into())
    }

    /// Returns a stream of [`paddock_api::LogRecord`]: the last lines of a model's children, then new ones.
    pub(crate) async fn follow_logs(
        &self,
        model: &str,
        lines: u32,
    ) -> Result<AdminAnswer, CommandError> {
        let path = model_path(model, &format!("logs?n={lines}&follow=true"));
        self.request(Method::GET, &path).await
    }

    /// Returns ended requests, of all models or of one: the last ones, or the first ones after a `seq`.
    pub(crate) async fn requests(
        &self,
        limit: u32,
        after: Option<u64>,
        model: Option<&str>,
    ) -> Result<TypedAnswer<EndedRequests>, CommandError> {
        let mut path = format!("/api/requests?limit={limit}");
        // Writing to a string cannot fail.
        if let Some(after) = after {
            let _ = write!(path, "&after={after}");
        }
        if let Some(model) = model {
            let _ = write!(
                path,
                "&model={}",
                utf8_percent_encode(model, NON_ALPHANUMERIC)
            );
        }
        Ok(self.request(Method::GET, &path).await?.into())
    }

    /// Returns a stream of events: a snapshot, then each change.
    pub(crate) async fn events(&self) -> Result<EventStream, CommandError> {
        Ok(EventStream {
            answer: self.request(Method::GET, "/api/events").await?,
            parser: SseParser::default(),
        })
    }

    /// Sends a chat completion request, and returns the model's answer.
    pub(crate) async fn chat(&self, request: String) -> Result<AdminAnswer, CommandError> {
        self.post("/api/chat", request).await
    }
}

impl EventStream {
    /// Waits for the next events.
    ///
    /// # Errors
    /// The stream ends, or an event cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Vec<Event>, CommandError> {
        let chunk = self.answer.next_chunk().await?;
        let chunk = chunk.ok_or_else(|| self.answer.connection_lost())?;
        let parsed = self.parser.parse(&chunk);
        let parsed = parsed.map_err(|_| self.answer.connection_lost())?;
        let mut events = Vec::new();
        for event in parsed {
            let mut data = serde_json::Deserializer::from_slice(&event.data);
            // Events with other names come from a later version.
            events.extend(
                Event::deserialize(&event.name, &mut data)
                    .map_err(|error| self.answer.unknown_answer(&error))?,
            );
        }
        Ok(events)
    }

    /// Returns the error for a stream that ended.
    pub(crate) fn connection_lost(&self) -> CommandError {
        self.answer.connection_lost()
    }
}

fn model_path(model: &str, action: &str) -> String {
    api_path("models", model, action)
}

fn api_path(kind: &str, name: &str, action: &str) -> String {
    let name = utf8_percent_encode(name, PATH_SEGMENT);
    format!("/api/{kind}/{name}/{action}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        assert_eq!(model_path("a-b_c.d1", "logs"), "/api/models/a-b_c.d1/logs");
        assert_eq!(
            model_path("org/b c?é", "logs"),
            "/api/models/org%2Fb%20c%3F%C3%A9/logs"
        );
    }
}
