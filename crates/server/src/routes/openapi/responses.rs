//! Declares the responses that several operations of the `OpenAPI` document have in common, and schemas that only the
//! document needs.

#![expect(
    dead_code,
    reason = "the derives of utoipa read these types; no value of them is made"
)]

use paddock_api::{ActiveRequests, EndedRequests, ErrorBody, LoadResult};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

/// A web page of another site sent the request.
#[derive(IntoResponses)]
#[response(status = 403)]
pub(in crate::routes) struct ForeignPage(ErrorBody);

/// The refusals of routes that require an API key.
#[derive(IntoResponses)]
pub(in crate::routes) enum Denied {
    /// An API key that allows this route is configured, and the request presents no such key.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// A web page of another site sent the request, or the API key does not allow this route.
    #[response(status = 403)]
    Forbidden(ErrorBody),
}

/// A parameter is invalid; `param` names it.
#[derive(IntoResponses)]
#[response(status = 400)]
pub(in crate::routes) struct InvalidParameter(ErrorBody);

/// No model has this name.
#[derive(IntoResponses)]
#[response(status = 404)]
pub(in crate::routes) struct UnknownModel(ErrorBody);

/// No request has this id.
#[derive(IntoResponses)]
#[response(status = 404)]
pub(in crate::routes) struct UnknownRequest(ErrorBody);

/// paddock is stopping.
#[derive(IntoResponses)]
#[response(status = 503)]
pub(in crate::routes) struct Stopping(ErrorBody);

/// The result of a load or unload that was not done, or the error that paddock is stopping.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::routes) enum NotDone {
    Result(LoadResult),
    Stopping(ErrorBody),
}

/// The ended requests or, with `in_flight=true`, the active ones.
pub(in crate::routes) struct RequestList;

impl PartialSchema for RequestList {
    /// Returns a choice that allows both types, which derives do not write: an empty list is both.
    fn schema() -> RefOr<Schema> {
        let types = [EndedRequests::name(), ActiveRequests::name()];
        let types = types.map(Ref::from_schema_name);
        let choice = types
            .into_iter()
            .fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        choice.into()
    }
}

impl ToSchema for RequestList {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("RequestList")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((EndedRequests::name().into_owned(), EndedRequests::schema()));
        schemas.push((
            ActiveRequests::name().into_owned(),
            ActiveRequests::schema(),
        ));
        EndedRequests::schemas(schemas);
        ActiveRequests::schemas(schemas);
    }
}

/// A chat completion request, as `OpenAI` describes it; llama-server decides which other members it may have.
#[derive(ToSchema)]
pub(in crate::routes) struct ChatRequest {
    /// Name or alias of the model.
    #[schema(nullable = false)]
    model: Option<String>,
    /// The messages.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Value>,
    /// True to stream the response.
    #[schema(nullable = false)]
    stream: Option<bool>,
}

/// An error of a child or of paddock.
#[derive(ToSchema)]
pub(in crate::routes) struct AnyError {
    /// The error; paddock's own have the members of `ErrorDetails`.
    error: Value,
}
