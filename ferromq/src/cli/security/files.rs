//! Files that keys, users and passwords are kept in.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ferromq::{KeyError, Password, PublicKey, SecretKey};

use crate::cli::error::Failure;
use crate::cli::trouble;

/// Bytes of such a file that are read: some ten thousand keys or users.
const LONGEST: u64 = 1 << 20;

/// A secret key: 32 raw bytes, or 40 characters in a line.
pub(super) fn secret_key(file: &Path) -> Result<SecretKey, Failure> {
    let bytes = secret(file)?;
    SecretKey::from_bytes(without_end(bytes.expose())).map_err(|cause| of(file, 1)(cause))
}

/// A public key in the same form.
pub(super) fn public_key(file: &Path) -> Result<PublicKey, Failure> {
    let bytes = read(file)?;
    PublicKey::from_bytes(without_end(bytes.expose())).map_err(|cause| of(file, 1)(cause))
}

/// Public keys of 40 characters, one a line, or one alone that is 32 raw bytes.
/// What stands behind a key and a blank is for people, as are empty lines and
/// those that begin with `#`.
pub(super) fn public_keys(file: &Path) -> Result<Vec<PublicKey>, Failure> {
    let bytes = read(file)?;
    if let Ok(raw) = <[u8; 32]>::try_from(bytes.expose()) {
        return Ok(vec![PublicKey(raw)]);
    }
    let keys = lines(bytes.expose()).map(|(number, line)| {
        let key = line.split(u8::is_ascii_whitespace).next().unwrap_or(line);
        PublicKey::from_bytes(key).map_err(of(file, number))
    });
    keys.collect()
}

/// Lines of a name, a colon and a password, which may have colons.
pub(super) fn users(file: &Path) -> Result<Vec<(String, Password)>, Failure> {
    let bytes = secret(file)?;
    let users = lines(bytes.expose()).map(|(number, line)| {
        let at = line.iter().position(|&byte| byte == b':');
        let user = at.and_then(|at| {
            let name = std::str::from_utf8(&line[..at]).ok()?;
            Some((name.to_owned(), Password::from(&line[at + 1..])))
        });
        user.ok_or_else(|| {
            let what = "is no name, colon and password";
            Failure::Security(format!("{}, line {number}: {what}", file.display()))
        })
    });
    users.collect()
}

/// The first line.
pub(super) fn password(file: &Path) -> Result<Password, Failure> {
    let bytes = secret(file)?;
    let line = bytes.expose().split(|&byte| byte == b'\n').next();
    Ok(Password::from(line.unwrap_or_default()))
}

/// Reads a file that should be its owner's alone, and says so if it is not.
fn secret(file: &Path) -> Result<Password, Failure> {
    let bytes = read(file)?;
    let mode = std::fs::metadata(file).map(|metadata| metadata.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let file = file.display();
        trouble::say(format_args!(
            "{file} is for others to read, too: chmod 600 keeps it secret"
        ));
    }
    Ok(bytes)
}

/// The whole file, in memory that is overwritten afterwards.
fn read(file: &Path) -> Result<Password, Failure> {
    let failed = |cause| Failure::Input {
        source_name: file.display().to_string(),
        cause,
    };
    let opened = File::open(file).map_err(failed)?;
    let len = opened.metadata().map_err(failed)?.len().min(LONGEST);
    // At once as large as it gets: a buffer that grows leaves copies.
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0) + 1);
    let read = opened.take(LONGEST).read_to_end(&mut bytes);
    read.map_err(failed)?;
    Ok(Password::from(bytes))
}

/// Without the end of the line; of 32 raw bytes, all are the key's.
fn without_end(bytes: &[u8]) -> &[u8] {
    match bytes.len() {
        32 => bytes,
        _ => bytes.trim_ascii_end(),
    }
}

/// The lines that say something, and their numbers.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = (1..).zip(bytes.split(|&byte| byte == b'\n'));
    let trimmed = lines.map(|(number, line)| (number, line.trim_ascii()));
    trimmed.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

fn of(file: &Path, line: usize) -> impl Fn(KeyError) -> Failure {
    move |cause| Failure::Security(format!("{}, line {line}: {cause}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferromq::CurveKeys;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("room");
        file
    }

    #[test]
    fn keys_are_raw_or_z85_with_or_without_an_end_of_line() {
        let keys = CurveKeys::generate();
        let text = keys.secret.expose_z85();
        for bytes in [
            keys.secret.expose().to_vec(),
            text.to_vec(),
            [&text[..], b"\n"].concat(),
            [&text[..], b"\r\n"].concat(),
        ] {
            let read = secret_key(file(&bytes).path()).expect("a key");
            assert_eq!(read.expose(), keys.secret.expose());
        }
        let error = secret_key(file(b"short\n").path()).unwrap_err().to_string();
        assert!(
            error.contains("line 1") && error.contains("not 5"),
            "{error}"
        );
    }

    #[test]
    fn a_list_of_keys_has_room_for_remarks() {
        let (one, other) = (CurveKeys::generate().public, CurveKeys::generate().public);
        let text = format!("# team\n\n{one}  ann\n  {other}\n");
        assert_eq!(
            public_keys(file(text.as_bytes()).path()).ok(),
            Some(vec![one, other])
        );
        assert_eq!(public_keys(file(&one.0).path()).ok(), Some(vec![one]));
        let error = public_keys(file(format!("{one}\nnonsense\n").as_bytes()).path());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn users_are_lines_of_a_name_and_a_password() {
        let users = users(file(b"ann:secret: with colon\nbob:\n").path()).expect("users");
        let [(ann, first), (bob, second)] = &users[..] else {
            panic!("{users:?}")
        };
        assert_eq!((&ann[..], &bob[..]), ("ann", "bob"));
        assert!(first.matches(b"secret: with colon") && second.matches(b""));
        let error = super::users(file(b"ann:x\nbob\n").path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_password_is_the_first_line() {
        let read = password(file(b"two words\nand more\n").path()).expect("a password");
        assert!(read.matches(b"two words"));
    }
}
