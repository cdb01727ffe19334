"""Reports, suggestions and praise of citizens, and what becomes of them."""
