"""What AVESA talks about: the words of the glossary as plain values, standard library only."""
