//! What the rules in force say about polling: which providers are asked, how, and what an answer holds. Pure.

use crate::model::ems::Ems;
use crate::model::json;
use crate::provider::ParseError;
use crate::provider::PollAnswer;
use crate::provider::PollRequest;
use crate::provider::PollResponse;
use crate::provider::Provider;
use crate::script::Script;
use crate::switchboard::Switchboard;

impl Switchboard {
    /// Whether this provider's events are asked for: its `stream.rhai` defines `poll_request` and `events`.
    pub fn polls(&self, provider: &str) -> bool {
        self.providers
            .get(provider)
            .is_some_and(|provider| provider.poll_script().is_some())
    }

    /// The next request to a manager's events API; `cursor` is what the last answer gave.
    ///
    /// # Errors
    /// When the provider does not poll, or its script fails or returns a wrong shape.
    pub fn poll_request(
        &self,
        ems: &Ems,
        page_size: usize,
        cursor: Option<&json::Value>,
    ) -> Result<PollRequest, ParseError> {
        let (provider, script) = self.poll_script(ems)?;
        provider.poll_request(&self.host, script, ems, page_size, cursor)
    }

    /// What is in an answer to what was asked for with `cursor`. `is_light`: the script does not see what is large, so
    /// that it keeps within its limits.
    ///
    /// # Errors
    /// When the answer is no JSON at all, the provider does not poll, or its script fails or returns a wrong shape.
    pub fn poll_answer(
        &self,
        ems: &Ems,
        cursor: Option<&json::Value>,
        response: &PollResponse,
        is_light: bool,
    ) -> Result<PollAnswer, ParseError> {
        let (provider, script) = self.poll_script(ems)?;
        provider.poll_answer(&self.host, script, cursor, response, is_light)
    }

    fn poll_script(&self, ems: &Ems) -> Result<(&Provider, &Script), ParseError> {
        let provider = self.provider(&ems.provider)?;
        let script = provider.poll_script().ok_or_else(|| ParseError::NoPoll {
            name: ems.provider.clone(),
        })?;
        Ok((provider, script))
    }
}
