//! Keys, users and passwords on the command line.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::program::Program;

/// A directory with what is read from files, and the program to run in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    /// With the keys of a server and a client, and the list of clients.
    fn with_keys() -> Self {
        let place = Self::new();
        for name in ["server", "client"] {
            place.start(&format!("keygen --out {name}")).end().well();
        }
        std::fs::copy(place.path("client.pub"), place.path("clients")).expect("room");
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::write(&path, text).expect("room");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, private).expect("our file");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferromq"));
        command.args(line.split_whitespace());
        command.current_dir(self.0.path()).stdout(Stdio::piped());
        command.env_remove("FERROMQ_PLAIN_PASSWORD");
        command
    }

    fn start(&self, line: &str) -> Program {
        Program::of(&mut self.command(line))
    }

    /// Starts and binds; gives the endpoint that it tells.
    fn bind(&self, line: &str) -> (Program, String) {
        let mut program = self.start(line);
        let told = program.error_line();
        let endpoint = told.strip_prefix("ferromq: listening on ");
        let endpoint = endpoint.unwrap_or_else(|| panic!("no endpoint but {told:?}"));
        (program, endpoint.to_owned())
    }

    /// Sends one message with these options, to what pulls one with those.
    fn carries(&self, pull: &str, push: &str) {
        let pull = format!("pull --bind tcp://127.0.0.1:* --count 1 {pull}");
        let (receiver, endpoint) = self.bind(&pull);
        let push = format!("push --connect {endpoint} --size 5 {push}");
        self.start(&push).end().well();
        assert_eq!(receiver.end().well().len(), 1);
    }
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("a file");
    metadata.permissions().mode() & 0o777
}

#[test]
fn keygen_prints_a_pair() {
    let lines = Program::start("keygen").end().well();
    let [public, secret] = &lines[..] else {
        panic!("{lines:?}")
    };
    let public = public.strip_prefix("public ").expect("its name");
    let secret = secret.strip_prefix("secret ").expect("its name");
    assert_eq!((public.len(), secret.len()), (40, 40));
    let secret: ferromq::SecretKey = secret.parse().expect("z85");
    let keys = ferromq::CurveKeys::from_secret(secret);
    assert_eq!(keys.public.to_string(), public, "they belong together");
}

#[test]
fn keygen_writes_files_for_their_owner_and_replaces_none() {
    let place = Place::new();
    place.start("keygen --out key").end().well();
    assert_eq!(mode(&place.path("key")), 0o600);
    assert_eq!(mode(&place.path("key.pub")), 0o600);
    let (secret, public) = (place.read("key"), place.read("key.pub"));
    assert_eq!((secret.len(), public.len()), (41, 41), "a line each");

    let told = "ferromq: key is there already: --force replaces it";
    place.start("keygen --out key").end().with(1, told);
    assert_eq!(place.read("key"), secret);
    place.start("keygen --out key --force").end().well();
    assert_ne!(place.read("key"), secret);
    assert_eq!(mode(&place.path("key")), 0o600);

    // A public key alone is another one's, or worth as much.
    place.write("half.pub", "mine");
    let told = "ferromq: half.pub is there already: --force replaces it";
    place.start("keygen --out half").end().with(1, told);
    assert!(!place.path("half").exists() && place.read("half.pub") == "mine");
}

/// Z85 has a hyphen among its letters.
#[test]
fn what_begins_with_a_hyphen_may_be_a_key() {
    let told = "ferromq: cannot read -abc: No such file or directory (os error 2)";
    let push = "push --connect tcp://127.0.0.1:1 --size 5 --curve-server-key -abc";
    Place::new().start(push).end().with(1, told);
}

#[test]
fn curve_carries_messages_between_those_who_have_the_keys() {
    let place = Place::with_keys();
    place.carries(
        "--curve-secret-file server --curve-allow clients",
        "--curve-server-key server.pub --curve-secret-file client",
    );
    // A key in the place of the file, and a client of any key.
    let key = place.read("server.pub");
    place.carries(
        "--curve-secret-file server --curve-allow-any",
        &format!("--curve-server-key {}", key.trim()),
    );
}

#[test]
fn a_key_that_is_not_allowed_is_refused() {
    let place = Place::with_keys();
    place.start("keygen --out stranger").end().well();
    let (_server, endpoint) = place
        .bind("pull --bind tcp://127.0.0.1:* --curve-secret-file server --curve-allow clients");
    let mut push = place.start(&format!(
        "push --connect {endpoint} --size 5 --timeout 30 --curve-server-key server.pub \
         --curve-secret-file stranger"
    ));
    let told = push.error_line();
    assert!(
        told.contains("refused by the peer with status 400"),
        "{told}"
    );
}

#[test]
fn plain_takes_its_password_from_a_file_or_the_environment() {
    let place = Place::new();
    place.write("users", "# who may\nann:open sesame\n");
    place.write("password", "open sesame\n");
    place.carries(
        "--plain-allow users",
        "--plain-user ann --plain-password-file password",
    );

    let (receiver, endpoint) =
        place.bind("pull --bind tcp://127.0.0.1:* --count 1 --plain-allow users");
    let push = format!("push --connect {endpoint} --size 5 --plain-user ann");
    let told = "ferromq: --plain-user needs a password, in --plain-password-file or in \
                FERROMQ_PLAIN_PASSWORD";
    place.start(&push).end().with(1, told);
    let mut command = place.command(&push);
    command.env("FERROMQ_PLAIN_PASSWORD", "open sesame");
    Program::of(&mut command).end().well();
    assert_eq!(receiver.end().well().len(), 1);
}

#[test]
fn files_and_proxies_take_keys_too() {
    let place = Place::with_keys();
    place.write("note.txt", "in secret");
    std::fs::create_dir(place.path("inbox")).expect("room");
    let (receiver, endpoint) = place.bind(
        "receive --at tcp://127.0.0.1:* --into inbox --count 1 --curve-secret-file server \
         --curve-allow clients",
    );
    let send = "--curve-server-key server.pub --curve-secret-file client";
    place
        .start(&format!("send note.txt --to {endpoint} {send}"))
        .end()
        .well();
    receiver.end().well();
    assert_eq!(place.read("inbox/note.txt"), "in secret");

    let mut proxy = place.start(
        "proxy --type streamer --frontend-bind tcp://127.0.0.1:* --backend-bind tcp://127.0.0.1:* \
         --curve-secret-file server --curve-allow clients",
    );
    let mut endpoint_of = |side: &str| {
        let told = proxy.error_line();
        let endpoint = told.strip_prefix(&format!("ferromq: {side} listening on "));
        endpoint.unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    let (back, front) = (endpoint_of("backend"), endpoint_of("frontend"));
    let pull = place.start(&format!("pull --connect {back} --count 1 {send}"));
    place
        .start(&format!("push --connect {front} --size 5 {send}"))
        .end()
        .well();
    assert_eq!(pull.end().well().len(), 1);
}

#[test]
fn what_was_asked_for_is_never_left_out() {
    let place = Place::with_keys();
    place.write("users", "ann:secret\n");
    let fails = |line: &str, told: &str| {
        let ended = place.start(line).end();
        assert_eq!(ended.code, Some(1), "{line}");
        let said = ended.stderr.join("\n");
        assert!(said.contains(told), "{line}\n{said}");
    };
    let bind = "pull --bind tcp://127.0.0.1:*";
    let connect = "pull --connect tcp://127.0.0.1:9";
    fails(
        &format!("{bind} --curve-server-key server.pub"),
        "would be open to all",
    );
    fails(
        &format!("{connect} --plain-allow users"),
        "would be connected in clear",
    );
    fails(
        &format!("{connect} --curve-secret-file client"),
        "alone says nothing",
    );
    fails(
        &format!("{connect} --curve-server-key nothing"),
        "cannot read nothing",
    );
    fails(
        &format!("{connect} --curve-server-key users"),
        "users, line 1: a key has 32 bytes",
    );
    for wrong in [
        "--curve-allow clients",
        "--curve-allow-any",
        "--plain-password-file users",
        "--plain-user ann --curve-server-key server.pub",
        "--curve-secret-file server --curve-allow clients --curve-allow-any",
        "--plain-password secret",
    ] {
        let ended = place.start(&format!("{bind} {wrong}")).end();
        assert_eq!(ended.code, Some(2), "{wrong}: {:?}", ended.stderr);
    }
}

#[test]
fn a_secret_that_others_can_read_is_told() {
    let place = Place::with_keys();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(place.path("server"), open).expect("our file");
    let mut pull =
        place.start("pull --bind tcp://127.0.0.1:* --curve-secret-file server --curve-allow-any");
    let told = pull.error_line();
    assert_eq!(
        told,
        "ferromq: server is for others to read, too: chmod 600 keeps it secret"
    );
}
