"""What other systems read: CSV, Canvas, Gradescope, JUnit, nbgrader."""
