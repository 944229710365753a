//! Signed tokens of the provider.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header, Validation};
use serde_json::{Map, Value};

use super::provider::Provider;
use crate::failure::Failure;

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// The algorithms with a public key. With any other, whoever knows the public key could sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// The maximum number of bytes of a token.
const MOST_TOKEN: usize = 16 << 10;
/// The maximum difference of clocks, in seconds.
const LEEWAY: u64 = 30;
/// The maximum number of keys that are tried for a token that names none.
const MOST_KEYS: usize = 8;

/// Returns whether a text looks like a signed token, and not like one of the larder.
pub(super) fn looks_like(text: &str) -> bool {
    text.len() <= MOST_TOKEN && !text.starts_with("larder_") && text.split('.').count() == 3
}

/// Checks signature, issuer, audience and times of a token, and returns what it says.
pub(super) async fn verify(
    provider: &Provider,
    issuer: &str,
    audiences: &[&str],
    token: &str,
) -> Result<Claims, Failure> {
    let invalid = || Failure::unauthorized("cannot sign in: the token is not valid");
    if !looks_like(token) {
        return Err(invalid());
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
    if !ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
        return Err(invalid());
    }
    let keys = provider.keys(|key| fits(&header, key)).await?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[issuer]);
    validation.set_audience(audiences);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    for key in keys.iter().filter(|key| fits(&header, key)).take(MOST_KEYS) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
            Ok(decoded) => return Ok(decoded.claims),
            Err(error) => match error.kind() {
                ErrorKind::InvalidSignature => {}
                ErrorKind::ExpiredSignature => {
                    return Err(Failure::unauthorized("cannot sign in: the token has expired"));
                }
                _ => return Err(invalid()),
            },
        }
    }
    Err(invalid())
}

/// Returns whether a key may have signed a token.
fn fits(header: &Header, key: &Jwk) -> bool {
    let common = &key.common;
    let family = match key.algorithm {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(_) => AlgorithmFamily::Ec,
        AlgorithmParameters::OctetKeyPair(_) => AlgorithmFamily::Ed,
        _ => return false,
    };
    family == header.alg.family()
        && (header.kid.is_none() || header.kid == common.key_id)
        && common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
        && common.key_algorithm.is_none_or(|it| it == KeyAlgorithm::from(header.alg))
}
