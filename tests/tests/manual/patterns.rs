//! `docs/manual/patterns.md` has every socket type and every cause of a drop.

use ferromq::{DropCause, SocketType};

use crate::{quoted, read, rows};

#[test]
fn every_cause_of_a_drop_is_listed_once() {
    let page = read("docs/manual/patterns.md");
    let listed: Vec<Vec<String>> = rows(&page)
        .into_iter()
        .filter(|row| row[0].starts_with("`DropCause::"))
        .map(|row| row[..2].to_vec())
        .collect();
    let expected = DropCause::ALL.map(|cause| {
        let name = format!("`DropCause::{cause:?}`");
        vec![name, format!("`{}`", cause.name())]
    });
    assert_eq!(listed, expected);
}

#[test]
fn every_socket_type_has_a_row_or_a_column() {
    let page = read("docs/manual/patterns.md");
    let tables = rows(&page);
    for socket_type in SocketType::ALL {
        let name = socket_type.name();
        let words = |cell: &String| {
            let words = cell.split(|c: char| !c.is_alphabetic());
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let named = |cell: &String| words(cell).iter().any(|word| word == name);
        // As a column of its pattern's table, or as a row of the drafts'.
        let column = tables
            .windows(2)
            .any(|pair| pair[1][0].starts_with('-') && pair[0].iter().any(named));
        let row = tables.iter().any(|row| row[0] == name);
        assert!(column || row, "{name} is in no table");
    }
}

#[test]
fn every_peer_that_a_type_talks_to_is_named() {
    let page = read("docs/manual/patterns.md");
    let mut tables: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let mut heading = Vec::new();
    let all = rows(&page);
    for (index, row) in all.iter().enumerate() {
        if all
            .get(index + 1)
            .is_some_and(|next| next[0].starts_with('-'))
        {
            heading = row.clone();
        } else if row[0] == "Talks to" {
            tables.push((heading.clone(), row.clone()));
        } else if heading.get(1).is_some_and(|cell| cell == "Talks to") {
            let types = vec![String::new(), row[0].clone()];
            tables.push((types, vec![String::new(), row[1].clone()]));
        }
    }
    let listed = |cell: &str| -> Vec<String> {
        let words = cell.split(|c: char| !c.is_alphabetic());
        let mut types: Vec<String> = words
            .filter(|word| SocketType::ALL.iter().any(|known| known.name() == *word))
            .map(str::to_owned)
            .collect();
        types.sort();
        types
    };
    let mut seen = 0;
    for (types, peers) in &tables {
        for (types, peers) in types.iter().zip(peers).skip(1) {
            for name in listed(types) {
                let socket_type = SocketType::ALL.into_iter().find(|it| it.name() == name);
                let socket_type = socket_type.expect("listed");
                let expected: Vec<_> = SocketType::ALL
                    .into_iter()
                    .filter(|peer| socket_type.accepts(*peer))
                    .map(|peer| peer.name().to_owned())
                    .collect();
                let (mut expected, said) = (expected, listed(peers));
                expected.sort();
                assert_eq!(said, expected, "{name}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, SocketType::ALL.len());
    assert!(quoted(&page).any(|word| word == "connect_peer"));
}
