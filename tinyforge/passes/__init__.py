"""Graph -> Graph rewrites; ``pipeline.optimise`` runs them all. Every one keeps the outputs integer for integer."""
