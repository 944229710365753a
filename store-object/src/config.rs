//! Reads the location of a bucket and the credentials from the URL and the environment.

use std::sync::Arc;

use larder_store::{Error, Result, StoreUrl};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as S3};
use object_store::azure::{AzureConfigKey as Azure, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Google};
use object_store::path::Path;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};

use crate::failure::failed;

/// A place in a bucket.
pub(crate) struct BucketLocation {
    pub(crate) service: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    /// The URL without secrets.
    pub(crate) url: String,
}

/// Timeout of one request. Long enough for a part of a blob on a slow connection.
const TIMEOUT: &str = "300 seconds";
/// Default number of retries of a request: about ten seconds.
const RETRIES: usize = 7;

/// The options of S3 and the keys they set.
const OF_S3: [(&str, S3); 7] = [
    ("endpoint", S3::Endpoint),
    ("region", S3::Region),
    ("virtual_hosted", S3::VirtualHostedStyleRequest),
    ("anonymous", S3::SkipSignature),
    ("access_key_id", S3::AccessKeyId),
    ("secret_access_key", S3::SecretAccessKey),
    ("session_token", S3::Token),
];
/// The options of Google Cloud Storage.
const OF_GOOGLE: [(&str, Google); 3] = [
    ("endpoint", Google::BaseUrl),
    ("service_account", Google::ServiceAccount),
    ("anonymous", Google::SkipSignature),
];
/// The options of Azure.
const OF_AZURE: [(&str, Azure); 4] = [
    ("endpoint", Azure::Endpoint),
    ("account", Azure::AccountName),
    ("anonymous", Azure::SkipSignature),
    ("access_key", Azure::AccessKey),
];
/// The options of every service.
const OF_ALL: [&str; 1] = ["retries"];
/// The options that are never printed.
const SECRET: [&str; 4] = ["access_key_id", "secret_access_key", "session_token", "access_key"];

/// Parses a URL. Refuses unknown options by name.
pub(crate) fn read(url: &StoreUrl) -> Result<BucketLocation> {
    let (bucket, prefix) = split(url)?;
    let retry = RetryConfig { max_retries: retries(url)?, ..RetryConfig::default() };
    let (service, names): (_, Vec<_>) = match url.scheme() {
        "s3" => {
            let builder = AmazonS3Builder::from_env().with_retry(retry);
            let endpoint = [S3::S3Endpoint, S3::Endpoint];
            let endpoint = endpoint.iter().find_map(|key| builder.get_config_value(key));
            let builder = given(url, &OF_S3, S3::Client, endpoint)?
                .into_iter()
                .fold(builder, |builder, (key, value)| builder.with_config(key, value));
            // The option takes precedence over every variable.
            let builder = match url.option("endpoint") {
                Some(endpoint) => builder.with_config(S3::S3Endpoint, endpoint),
                None => builder,
            };
            (shared(builder.with_bucket_name(bucket).build()), names(&OF_S3))
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env().with_retry(retry);
            let endpoint = builder.get_config_value(&Google::BaseUrl);
            let builder = given(url, &OF_GOOGLE, Google::Client, endpoint)?
                .into_iter()
                .fold(builder, |builder, (key, value)| builder.with_config(key, value));
            (shared(builder.with_bucket_name(bucket).build()), names(&OF_GOOGLE))
        }
        "az" => {
            let builder = MicrosoftAzureBuilder::from_env().with_retry(retry);
            let endpoint = builder.get_config_value(&Azure::Endpoint);
            let builder = given(url, &OF_AZURE, Azure::Client, endpoint)?
                .into_iter()
                .fold(builder, |builder, (key, value)| builder.with_config(key, value));
            (shared(builder.with_container_name(bucket).build()), names(&OF_AZURE))
        }
        _ => return Err(url.refused("the scheme must be s3, gs or az")),
    };
    let service = service.map_err(|error| failed(format!("set up requests to {url}"), error))?;
    Ok(BucketLocation { service, prefix, url: shown(url, &names) })
}

fn shared<S: ObjectStore>(
    built: object_store::Result<S>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    Ok(Arc::new(built?))
}

/// Returns the bucket and the prefix in it.
fn split(url: &StoreUrl) -> Result<(&str, Path)> {
    let scheme = url.scheme();
    let place = url.rest().strip_prefix("//").unwrap_or_default();
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let is_password = place.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'));
    if bucket.contains(['@', ':']) || is_password {
        // The text is not repeated, because it may contain a secret.
        let reason = "credentials come from the environment or from options, not before an `@`";
        return Err(Error::invalid("store URL", &format!("{scheme}://…"), reason));
    }
    if bucket.is_empty() {
        return Err(url.refused(format!("a bucket is missing: `{scheme}://bucket/prefix`")));
    }
    if bucket.ends_with("--x-s3") {
        let reason =
            "a directory bucket does not list its objects in order; use a general purpose one";
        return Err(url.refused(reason));
    }
    let prefix = Path::parse(prefix).map_err(|_| {
        url.refused("the prefix has an empty part or a character that names of objects do not have")
    })?;
    Ok((bucket, prefix))
}

fn names<K>(known: &[(&'static str, K)]) -> Vec<&'static str> {
    known.iter().map(|(name, _)| *name).chain(OF_ALL).collect()
}

/// Returns the configuration given by the options of the URL, with the defaults of every service. `of_environment` is
/// the endpoint that the environment names.
fn given<K: Copy>(
    url: &StoreUrl,
    known: &[(&'static str, K)],
    client: fn(ClientConfigKey) -> K,
    of_environment: Option<String>,
) -> Result<Vec<(K, String)>> {
    url.allow_options(&names(known))?;
    let endpoint = url.option("endpoint").unwrap_or_default();
    if endpoint.contains(['@', '?', '#']) {
        let reason = "the endpoint has a host and a path only; credentials come from the environment or from options";
        return Err(url.refused(reason));
    }
    let value = |(name, key): &(&str, K)| Some((*key, url.option(name)?.to_owned()));
    let mut given: Vec<_> = known.iter().filter_map(value).collect();
    given.push((client(ClientConfigKey::Timeout), TIMEOUT.to_owned()));
    // An endpoint written as http:// is used without TLS, as by other tools.
    let endpoint = url.option("endpoint").or(of_environment.as_deref()).unwrap_or_default();
    if endpoint.starts_with("http://") {
        given.push((client(ClientConfigKey::AllowHttp), "true".to_owned()));
    }
    Ok(given)
}

fn retries(url: &StoreUrl) -> Result<usize> {
    match url.option("retries").map(str::parse) {
        None => Ok(RETRIES),
        Some(Ok(retries)) if retries <= 20 => Ok(retries),
        Some(_) => Err(url.refused("the option `retries` is a number from 0 to 20")),
    }
}

/// Returns the URL with the options that are not secret.
fn shown(url: &StoreUrl, names: &[&str]) -> String {
    let open = names.iter().filter(|name| !SECRET.contains(name));
    let options: Vec<_> =
        open.filter_map(|name| Some(format!("{name}={}", url.option(name)?))).collect();
    let place = format!("{}:{}", url.scheme(), url.rest());
    if options.is_empty() { place } else { format!("{place}?{}", options.join("&")) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_with_http_is_allowed_wherever_it_is_named() {
        let allowed = |url: &str, of_environment: Option<&str>| {
            let url = url.parse().unwrap();
            let given = given(&url, &OF_S3, S3::Client, of_environment.map(str::to_owned)).unwrap();
            given.contains(&(S3::Client(ClientConfigKey::AllowHttp), "true".to_owned()))
        };
        assert!(allowed("s3://bucket", Some("http://127.0.0.1:9000")));
        assert!(allowed("s3://bucket?endpoint=http://127.0.0.1:9000", None));
        assert!(!allowed("s3://bucket", Some("https://s3.example.com")));
        assert!(!allowed("s3://bucket", None));
        let url = "s3://bucket?endpoint=https://s3.example.com";
        assert!(!allowed(url, Some("http://127.0.0.1:9000")), "the option takes precedence");
    }

    #[test]
    fn no_secret_is_printed() {
        let between = ["", "/", "@", ":", "%", "?", "?a=", "&", "#"];
        let urls = [
            "s3://SECRET:SECRET@bucket/prefix",
            "S3://SECRET@bucket/prefix",
            "s3:/SECRET:SECRET@bucket/prefix",
            "s3:SECRET:SECRET@bucket",
            "s3://bucket/prefix?secret_access_key=SECRET",
            "s3://bucket/prefix?secret_key=SECRET",
            "s3://bucket/prefix?endpoint=http://SECRET:SECRET@host",
            "s3://bucket/prefix?endpoint=http://host?key=SECRET",
            "s3://bucket/prefix?endpoint=http://host#SECRET",
            "s3://bucket/prefix#secret_access_key=SECRET",
            "s3://bucket//prefix?session_token=SECRET",
            "az://bucket?access_key=SECRET",
        ];
        for url in urls {
            for url in between.map(|between| url.replace("SECRET", &format!("QZ0{between}XK0"))) {
                // A bucket, and a prefix with an `@`.
                if url == "S3://QZ0/XK0@bucket/prefix" {
                    continue;
                }
                let said = match url.parse::<StoreUrl>() {
                    Err(error) => format!("{error} {error:?}"),
                    Ok(parsed) => match read(&parsed) {
                        Err(error) => format!("{parsed} {parsed:?} {error} {error:?}"),
                        Ok(place) => format!("{parsed} {parsed:?} {}", place.url),
                    },
                };
                let said = said.to_ascii_lowercase();
                assert!(!said.contains("qz0") && !said.contains("xk0"), "{url}: {said}");
            }
        }
    }
}
