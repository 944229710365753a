//! Sessions of browsers that signed in with a token, or by the one-time link of a page on one's own machine.
//!
//! The server keeps them in memory: the browser has a random id in a cookie, which no script reads and no other site sends. Each
//! request is decided by the token itself, so that a revoked token ends its sessions at once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue};
use larder_core::{Error, Result};

use crate::cookie::{self, SameSite};
use crate::failure::Failure;

/// The cookie of a session.
const COOKIE: &str = "larder_page";
/// The lifetime of a session.
const LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
/// The time after which an unused session ends.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// The maximum number of sessions.
const MOST: usize = 10_000;
/// The context of the key derivation for form tokens.
const FORM: &str = "larder 2026-11-29 form token";

struct Session {
    /// `None` for the user of this machine.
    token: Option<String>,
    begun: Instant,
    used: Instant,
}

impl Session {
    fn is_alive(&self, now: Instant) -> bool {
        now - self.begun < LIFETIME && now - self.used < IDLE
    }
}

/// The sessions of a server.
pub(crate) struct Sessions {
    by_id: Mutex<HashMap<blake3::Hash, Session>>,
    /// For forms of a browser without a session, on a server without authentication.
    key: [u8; 32],
    /// The code of the one-time link, until it is used.
    code: Mutex<Option<String>>,
    is_local: bool,
    is_secure: bool,
}

impl Sessions {
    /// Begins without sessions. With `is_local`, the server answers only who came by its one-time link; with `is_secure`, browsers
    /// reach it by TLS.
    ///
    /// # Errors
    /// [`Error::Refused`] if the system has no random numbers.
    pub(crate) fn new(is_local: bool, is_secure: bool) -> Result<Self> {
        let key = random().map_err(|reason| Error::Refused {
            action: "start the web page".into(),
            reason: format!("the system has no random numbers: {reason}"),
        })?;
        let code = is_local.then(|| blake3::derive_key("larder 2026-11-29 one-time link", &key));
        let code = code.map(|code| blake3::Hash::from(code).to_hex().to_string());
        Ok(Self { by_id: Mutex::default(), key, code: Mutex::new(code), is_local, is_secure })
    }

    /// True if only a browser that came by the one-time link is answered.
    pub(crate) fn is_local(&self) -> bool {
        self.is_local
    }

    /// The code of the one-time link, until it is used.
    pub(crate) fn code(&self) -> Option<String> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses the code of the one-time link. Returns whether it is the code, and nobody used it before.
    pub(crate) fn use_code(&self, code: &str) -> bool {
        let mut known = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        // Hashes are compared in constant time.
        let hash = |text: &str| blake3::hash(text.as_bytes());
        let is_it = known.as_deref().is_some_and(|known| hash(known) == hash(code));
        if is_it {
            *known = None;
        }
        is_it
    }

    /// Begins a session, and returns the header that sets its cookie.
    pub(crate) fn begin(&self, token: Option<String>) -> Result<HeaderValue, Failure> {
        let id = random().map_err(Failure::internal)?;
        let id = blake3::Hash::from(id).to_hex();
        let now = Instant::now();
        let mut sessions = self.lock();
        if sessions.len() >= MOST {
            sessions.retain(|_, session| session.is_alive(now));
        }
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                sessions.remove(&oldest);
            }
        }
        let session = Session { token, begun: now, used: now };
        sessions.insert(blake3::hash(id.as_bytes()), session);
        drop(sessions);
        cookie::set(COOKIE, &id, LIFETIME, self.is_secure, SameSite::Strict)
    }

    /// Ends the session of a request, if it has one, and returns the header that removes its cookie.
    pub(crate) fn end(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Failure> {
        let Some(id) = self.id(headers) else { return Ok(None) };
        self.lock().remove(&blake3::hash(id.as_bytes()));
        cookie::clear(COOKIE, self.is_secure, SameSite::Strict).map(Some)
    }

    /// Returns the token of a request's session.
    pub(crate) fn token(&self, headers: &HeaderMap) -> Option<String> {
        self.of(headers)?
    }

    /// Returns whether a request has a session.
    pub(crate) fn has(&self, headers: &HeaderMap) -> bool {
        self.of(headers).is_some()
    }

    /// The token, if it has one, of a session that is alive.
    fn of(&self, headers: &HeaderMap) -> Option<Option<String>> {
        let id = blake3::hash(self.id(headers)?.as_bytes());
        let now = Instant::now();
        let mut sessions = self.lock();
        let session = sessions.get_mut(&id)?;
        if !session.is_alive(now) {
            sessions.remove(&id);
            return None;
        }
        session.used = now;
        Some(session.token.clone())
    }

    fn id(&self, headers: &HeaderMap) -> Option<String> {
        cookie::find(headers, COOKIE, self.is_secure)
    }

    /// Returns the token that a form must carry: only a page of this server can read it. `other` is the cookie of another kind of
    /// session.
    pub(crate) fn form_token(&self, headers: &HeaderMap, other: Option<String>) -> String {
        let derived = match self.id(headers).or(other) {
            Some(id) => blake3::derive_key(FORM, id.as_bytes()),
            None => blake3::derive_key(FORM, &self.key),
        };
        blake3::Hash::from(derived).to_hex().to_string()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<blake3::Hash, Session>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sessions({})", self.lock().len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::header;

    use super::*;

    /// The headers of a browser that kept a cookie.
    fn kept(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        [(header::COOKIE, HeaderValue::try_from(pair).unwrap())].into_iter().collect()
    }

    #[test]
    fn a_session_keeps_its_token_until_it_ends() {
        let sessions = Sessions::new(false, true).unwrap();
        let set = sessions.begin(Some("larder_x".into())).unwrap();
        let text = set.to_str().unwrap();
        assert!(text.starts_with("__Host-larder_page=") && !text.contains("larder_x"), "{text}");
        assert!(text.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=28800; Secure"));
        let headers = kept(&set);
        assert_eq!(sessions.token(&headers).as_deref(), Some("larder_x"));
        let cleared = sessions.end(&headers).unwrap().unwrap();
        assert!(cleared.to_str().unwrap().contains("Max-Age=0"));
        assert!(!sessions.has(&headers) && sessions.token(&headers).is_none());
    }

    #[test]
    fn old_and_idle_sessions_are_over() {
        let now = Instant::now() + Duration::from_secs(100_000);
        let session = |begun: u64, used: u64| Session {
            token: None,
            begun: now - Duration::from_secs(begun),
            used: now - Duration::from_secs(used),
        };
        assert!(session(28_000, 3_000).is_alive(now));
        assert!(!session(28_801, 0).is_alive(now) && !session(3_601, 3_601).is_alive(now));
    }

    #[test]
    fn a_link_works_once() {
        let sessions = Sessions::new(true, false).unwrap();
        let code = sessions.code().unwrap();
        assert!(!sessions.use_code("") && !sessions.use_code(&code[1..]));
        assert!(sessions.use_code(&code) && !sessions.use_code(&code));
        assert!(sessions.code().is_none());
        assert!(Sessions::new(false, false).unwrap().code().is_none());
    }

    #[test]
    fn each_session_has_its_own_form_token() {
        let sessions = Sessions::new(false, false).unwrap();
        let [one, other] = [(); 2].map(|()| kept(&sessions.begin(None).unwrap()));
        let none = HeaderMap::new();
        let tokens = [
            sessions.form_token(&one, None),
            sessions.form_token(&other, None),
            sessions.form_token(&none, None),
            sessions.form_token(&none, Some("larder_y".into())),
        ];
        for (at, token) in tokens.iter().enumerate() {
            assert_eq!(token.len(), 64);
            assert!(!tokens[at + 1..].contains(token));
        }
        assert_eq!(tokens[0], sessions.form_token(&one, None));
    }
}
