"""What programs that were written for gear 0.16 do."""
