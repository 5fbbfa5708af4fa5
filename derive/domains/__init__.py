"""The numbers that a proof computes with: exact finite fields, 50 digits, and dual numbers over either."""
