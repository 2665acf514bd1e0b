//! Pairs a response of the admin API with the Rust type of its JSON body, which can be parsed or printed unchanged.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::{AdminAnswer, CommandError};
use crate::output;

/// A successful response whose body is a `T` in JSON.
#[derive(Debug)]
pub(crate) struct TypedAnswer<T> {
    answer: AdminAnswer,
    body: PhantomData<T>,
}

impl<T> From<AdminAnswer> for TypedAnswer<T> {
    fn from(answer: AdminAnswer) -> Self {
        Self {
            answer,
            body: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> TypedAnswer<T> {
    /// Reads the body.
    ///
    /// # Errors
    /// The connection breaks off, or the body is not a `T`.
    pub(crate) async fn read(self) -> Result<T, CommandError> {
        let mut answer = self.answer;
        let bytes = answer.read_to_end().await?;
        serde_json::from_slice(&bytes).map_err(|error| answer.unknown_answer(&error))
    }

    /// Prints the body on a line of its own, as paddock sent it.
    ///
    /// # Errors
    /// The connection breaks off.
    pub(crate) async fn print_json(mut self) -> Result<(), CommandError> {
        output::print_bytes(&self.answer.read_to_end().await?);
        output::print("");
        Ok(())
    }
}
