//! The options of single sign-on.

use std::fs;
use std::path::PathBuf;

use larder::server::OidcOptions;

use crate::command_error::{CommandError, Exit};

#[derive(clap::Args)]
#[command(next_help_heading = "Single sign-on")]
pub(crate) struct OidcArgs {
    /// Let people sign in at this provider of OpenID Connect, and services by its tokens
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,
    /// The larder's identifier at the provider
    #[arg(long, value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    /// The file of the larder's secret at the provider
    #[arg(
        long,
        value_name = "FILE",
        requires = "oidc_issuer",
        value_hint = clap::ValueHint::FilePath
    )]
    oidc_client_secret_file: Option<PathBuf>,
    /// The identifier for `larder login`, if it is another: a client without a secret
    #[arg(long, value_name = "ID", requires = "oidc_issuer")]
    oidc_device_client_id: Option<String>,
    /// An audience whose tokens are accepted beside the identifier; may be repeated
    #[arg(long, value_name = "AUDIENCE", requires = "oidc_issuer")]
    oidc_audience: Vec<String>,
    /// The claim that names the user, `email` unless said; with several, the first one that is there
    #[arg(long, value_name = "CLAIM", requires = "oidc_issuer")]
    oidc_user_claim: Vec<String>,
    /// The claim that lists groups
    #[arg(long, value_name = "CLAIM", requires = "oidc_issuer", default_value = "groups")]
    oidc_groups_claim: String,
    /// Add users that the larder does not know
    #[arg(long, requires = "oidc_issuer")]
    oidc_create_users: bool,
    /// The URL by which browsers reach this server; the address unless said
    #[arg(long, value_name = "URL", requires = "oidc_issuer")]
    public_url: Option<String>,
}

impl OidcArgs {
    pub(crate) fn options(&self) -> Result<Option<OidcOptions>, CommandError> {
        let (Some(issuer), Some(client_id)) = (&self.oidc_issuer, &self.oidc_client_id) else {
            return Ok(None);
        };
        let mut options = OidcOptions::new(issuer, client_id)
            .groups_claim(&self.oidc_groups_claim)
            .create_users(self.oidc_create_users);
        if let Some(file) = &self.oidc_client_secret_file {
            let secret = fs::read_to_string(file)
                .map_err(|error| CommandError::reading(file.display(), &error))?;
            if secret.trim().is_empty() {
                let message = format!("cannot use {}: it is empty", file.display());
                return Err(CommandError::new(Exit::Failure, message));
            }
            options = options.client_secret(secret.trim());
        }
        if let Some(client) = &self.oidc_device_client_id {
            options = options.device_client_id(client);
        }
        if let Some(url) = &self.public_url {
            options = options.public_url(url);
        }
        options = self.oidc_audience.iter().fold(options, OidcOptions::audience);
        Ok(Some(self.oidc_user_claim.iter().fold(options, OidcOptions::user_claim)))
    }
}
