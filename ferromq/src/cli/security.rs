//! Keys and passwords of a command, for what it binds and what it connects.

mod files;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use ferromq::{AnySocket, CurveClients, CurveKeys, Options, Password, PublicKey};

use super::error::Failure;

/// Who may connect, and who we are: for every verb with a socket.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Security (default: none)")]
pub(crate) struct SecurityArgs {
    /// Connect encrypted (CURVE), to the server with this public key only: 40
    /// characters, or the file that they are in
    // One key in 85 begins with a hyphen.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    curve_server_key: Option<OsString>,
    /// Our own keys, as `ferromq keygen --out` writes them [default when
    /// connecting: new ones]
    #[arg(long, value_name = "FILE")]
    curve_secret_file: Option<PathBuf>,
    /// What is bound is encrypted (CURVE), and lets in the public keys in this
    /// file, one a line
    #[arg(
        long,
        value_name = "FILE",
        requires = "curve_secret_file",
        conflicts_with = "curve_allow_any"
    )]
    curve_allow: Option<PathBuf>,
    /// What is bound is encrypted (CURVE), and lets in everybody who knows our
    /// public key
    #[arg(long, requires = "curve_secret_file")]
    curve_allow_any: bool,
    /// Connect as this user (PLAIN, in clear), with the password in
    /// --plain-password-file or in the environment's FERROMQ_PLAIN_PASSWORD
    #[arg(long, value_name = "NAME", conflicts_with_all = CURVE)]
    plain_user: Option<String>,
    /// The file that the password is in: its first line
    #[arg(long, value_name = "FILE", requires = "plain_user")]
    plain_password_file: Option<PathBuf>,
    /// What is bound lets in the users in this file (PLAIN, in clear), one a
    /// line: the name, a colon, the password
    #[arg(long, value_name = "FILE", conflicts_with_all = CURVE)]
    plain_allow: Option<PathBuf>,
}

const CURVE: [&str; 4] = [
    "curve_server_key",
    "curve_secret_file",
    "curve_allow",
    "curve_allow_any",
];

/// Where the password is when it is in no file.
const PASSWORD: &str = "FERROMQ_PLAIN_PASSWORD";

/// What was read for it. What is bound is the server, what connects the client.
pub(crate) struct Security {
    server: Option<Server>,
    client: Option<Client>,
}

#[derive(Clone)]
enum Server {
    Plain(Vec<(String, Password)>),
    Curve(CurveKeys, CurveClients),
}

#[derive(Clone)]
enum Client {
    Plain(String, Password),
    Curve(PublicKey, CurveKeys),
}

impl SecurityArgs {
    /// Reads the files.
    pub(crate) fn load(&self) -> Result<Security, Failure> {
        let keys = match &self.curve_secret_file {
            Some(file) => Some(CurveKeys::from_secret(files::secret_key(file)?)),
            None => None,
        };
        let security = Security {
            server: self.server(keys.as_ref())?,
            client: self.client(keys.as_ref())?,
        };
        match (security.is_none(), keys) {
            (true, Some(_)) => Err(Failure::Security(
                "--curve-secret-file alone says nothing: what connects takes --curve-server-key, \
                 what is bound --curve-allow or --curve-allow-any"
                    .into(),
            )),
            _ => Ok(security),
        }
    }

    fn server(&self, keys: Option<&CurveKeys>) -> Result<Option<Server>, Failure> {
        if let Some(file) = &self.plain_allow {
            return Ok(Some(Server::Plain(files::users(file)?)));
        }
        // clap has seen that there are keys.
        let Some(keys) = keys else { return Ok(None) };
        let clients = match &self.curve_allow {
            Some(file) => CurveClients::keys(files::public_keys(file)?),
            None if self.curve_allow_any => CurveClients::Any,
            None => return Ok(None),
        };
        Ok(Some(Server::Curve(keys.clone(), clients)))
    }

    fn client(&self, keys: Option<&CurveKeys>) -> Result<Option<Client>, Failure> {
        if let Some(user) = &self.plain_user {
            return Ok(Some(Client::Plain(user.clone(), self.password()?)));
        }
        let Some(server) = &self.curve_server_key else {
            return Ok(None);
        };
        let server = match server.to_str().map(str::parse) {
            Some(Ok(key)) => key,
            _ => files::public_key(Path::new(server))?,
        };
        let keys = keys.cloned().unwrap_or_else(CurveKeys::generate);
        Ok(Some(Client::Curve(server, keys)))
    }

    fn password(&self) -> Result<Password, Failure> {
        if let Some(file) = &self.plain_password_file {
            return files::password(file);
        }
        match std::env::var_os(PASSWORD) {
            Some(password) => Ok(Password::from(password.into_encoded_bytes())),
            None => Err(Failure::Security(format!(
                "--plain-user needs a password, in --plain-password-file or in {PASSWORD}"
            ))),
        }
    }
}

impl Security {
    /// Prepares the socket for binding to these endpoints.
    pub(crate) fn before_bind(
        &self,
        socket: &AnySocket,
        endpoints: &[String],
    ) -> Result<(), Failure> {
        let Some(endpoint) = endpoints.first().filter(|_| !self.is_none()) else {
            return Ok(());
        };
        let Some(server) = self.server.clone() else {
            return Err(Failure::Security(format!(
                "{endpoint} would be open to all: what is bound takes --curve-allow, \
                 --curve-allow-any or --plain-allow"
            )));
        };
        Ok(socket.set_options(|options| server.options(options))?)
    }

    /// Prepares the socket for connecting to these endpoints.
    pub(crate) fn before_connect(
        &self,
        socket: &AnySocket,
        endpoints: &[String],
    ) -> Result<(), Failure> {
        let Some(endpoint) = endpoints.first().filter(|_| !self.is_none()) else {
            return Ok(());
        };
        let Some(client) = self.client.clone() else {
            return Err(Failure::Security(format!(
                "{endpoint} would be connected in clear: what connects takes \
                 --curve-server-key or --plain-user"
            )));
        };
        Ok(socket.set_options(|options| client.options(options))?)
    }

    fn is_none(&self) -> bool {
        self.server.is_none() && self.client.is_none()
    }
}

impl Server {
    fn options(self, options: Options) -> Options {
        match self {
            Self::Plain(users) => options.plain_server(users),
            Self::Curve(keys, clients) => options.curve_server(keys, clients),
        }
    }
}

impl Client {
    fn options(self, options: Options) -> Options {
        match self {
            Self::Plain(user, password) => options.plain_client(&user, password),
            Self::Curve(server, keys) => options.curve_client(server, keys),
        }
    }
}
