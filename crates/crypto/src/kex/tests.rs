//! Both halves of every method against each other.

use super::*;
use crate::SystemRandom;

#[test]
fn both_halves_of_every_method_agree() {
    let mut random = SystemRandom::new();
    for algorithm in
        KexAlgorithm::ALL.iter().copied().filter(|a| a.shape() != KexShape::GroupExchange)
    {
        let client = Ephemeral::generate(algorithm, &mut random).unwrap();
        let (public, server_k) = respond(algorithm, client.public(), &mut random).unwrap();
        let client_k = client.agree(&public).unwrap();
        assert_eq!(client_k.as_wire(), server_k.as_wire(), "{}", algorithm.name());
    }
}
